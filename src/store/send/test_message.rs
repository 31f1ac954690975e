//! Tests of days that people have sent to phones of their own: nothing is known of them but what the log says.

use crate::core::domain::{AccountId, Timestamp};
use crate::core::lifecycle::event::EventKind;
use crate::store::event::{Event, tell};
use crate::store::{Error, Store};

impl Store {
    /// Writes into the log that a test goes out in the name of `account`, or what became of it.
    pub async fn tell_of_test(
        &self,
        account: AccountId,
        sentence: String,
        outcome: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        const OPERATION: &str = "write a test into the log";
        let event = Event::new(EventKind::TestSent, self.actor(), sentence);
        let event = Event { account: Some(account), after: outcome.map(str::to_owned), ..event };
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        tell(&mut db, &[event], now).await
    }
}
