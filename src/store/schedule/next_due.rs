//! The next due instants: loops sleep until then, and a virtual clock jumps to them.

use chrono::TimeDelta;

use crate::core::domain::Timestamp;
use crate::store::{Error, Store};

/// The retention of processed webhooks: their bodies are personal, so they stay only while an inquiry is likely.
pub(in crate::store) const KEPT: TimeDelta = TimeDelta::days(7);
/// The retention of webhooks that were given up: longer, because a person has to examine them.
pub(in crate::store) const GIVEN_UP_KEPT: TimeDelta = TimeDelta::days(30);
/// The interval between purges of old webhooks.
const PURGE_EVERY: TimeDelta = TimeDelta::hours(1);

/// The next instants at which each loop has something to do; `None` when nothing is planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NextDue {
    /// A lane may send.
    pub send: Option<Timestamp>,
    /// A run may enroll.
    pub enroll: Option<Timestamp>,
    /// A run may change phase, or an override expires.
    pub advance: Option<Timestamp>,
    /// A run that has not begun waits for a forecast of its end.
    pub ahead: Option<Timestamp>,
    /// A lease expires.
    pub expire: Option<Timestamp>,
    /// Old webhooks are removed.
    pub purge: Option<Timestamp>,
}

impl NextDue {
    /// Returns the earliest instant of all.
    pub fn earliest(self) -> Option<Timestamp> {
        [self.send, self.maintenance()].into_iter().flatten().min()
    }

    /// Returns the earliest instant of all but sending.
    pub fn maintenance(self) -> Option<Timestamp> {
        [self.enroll, self.advance, self.ahead, self.expire, self.purge].into_iter().flatten().min()
    }
}

impl Store {
    /// Reads the next instant of every kind: eight index look-ups.
    pub async fn next_due(&self) -> Result<NextDue, Error> {
        type At = Option<Timestamp>;
        let (send, enroll, advance, ahead, expire, processed, given_up): (At, At, At, At, At, At, At) = sqlx::query_as(
            "select (select wake_at from lane where wake_at is not null order by wake_at limit 1),
                    (select enroll_at from run where enroll_at is not null and phase = 'active' order by enroll_at limit 1),
                    least((select check_at from run where check_at is not null order by check_at limit 1),
                          (select min(until) from override where not is_over)),
                    (select ahead_at from run where ahead_at is not null order by ahead_at limit 1),
                    (select min(until) from lease),
                    (select min(processed_at) from webhook),
                    (select min(received_at) from webhook where due_at is null and processed_at is null)",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(Error::during("read the next due instant"))?;
        Ok(NextDue { send, enroll, advance, ahead, expire, purge: purge_at(processed, given_up) })
    }
}

/// Returns the time of the next purge, from the time the oldest processed request was processed and the time the oldest
/// given-up request arrived.
fn purge_at(processed: Option<Timestamp>, given_up: Option<Timestamp>) -> Option<Timestamp> {
    let (processed, given_up) = (processed.map(|at| at + KEPT), given_up.map(|at| at + GIVEN_UP_KEPT));
    processed.into_iter().chain(given_up).min().map(|at| at + PURGE_EVERY)
}
