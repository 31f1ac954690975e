//! Test messages: campaign days that people send to their own phones. Only the log records them.

use crate::core::domain::{AccountId, Timestamp};
use crate::core::lifecycle::event::EventKind;
use crate::store::event::{Event, tell};
use crate::store::{Error, Store};

impl Store {
    /// Logs that a test is sent in the name of `account`, or its result.
    pub async fn tell_of_test(
        &self,
        account: AccountId,
        sentence: String,
        outcome: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        const OPERATION: &str = "write a test message to the log";
        let event = Event::new(EventKind::TestSent, self.actor(), sentence);
        let event = Event { account: Some(account), after: outcome.map(str::to_owned), ..event };
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        tell(&mut db, &[event], now).await
    }
}
