//! Test messages: campaign days that people send to their own phones. Only the log records them.

use crate::core::domain::{AccountId, Timestamp};
use crate::core::lifecycle::detail::{Detail, TestMessage, TestOutcome};
use crate::core::lifecycle::event::EventKind;
use crate::store::event::{Event, tell};
use crate::store::{Error, Store};

impl Store {
    /// Logs that a test is sent in the name of `account`, or its outcome with the error.
    pub async fn tell_of_test(
        &self,
        account: AccountId,
        test: TestMessage,
        outcome: Option<(TestOutcome, Option<&str>)>,
        now: Timestamp,
    ) -> Result<(), Error> {
        const OPERATION: &str = "write a test message to the log";
        let detail = match outcome {
            None => Detail::TestBegun { test },
            Some((outcome, error)) => Detail::TestEnded { test, outcome, error: error.map(str::to_owned) },
        };
        let event = Event::new(EventKind::TestSent, self.actor(), detail);
        let after = outcome.map(|(outcome, _)| outcome.as_str().to_owned());
        let event = Event { account: Some(account), after, ..event };
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        tell(&mut db, &[event], now).await
    }
}
