//! When anything is due next: what the loops sleep until, and what a virtual clock jumps to.

use super::inbound::webhook::purge_at;
use super::{Error, Store};
use crate::core::domain::Timestamp;

/// The next instants at which each loop has something to do; `None` when nothing is planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NextDue {
    /// A lane may send.
    pub send: Option<Timestamp>,
    /// A run may enroll.
    pub enroll: Option<Timestamp>,
    /// A run may change phase, or the time of an override is over.
    pub advance: Option<Timestamp>,
    /// A run that has not begun waits for a look ahead.
    pub ahead: Option<Timestamp>,
    /// A lease runs out.
    pub expire: Option<Timestamp>,
    /// Old webhooks are removed.
    pub purge: Option<Timestamp>,
}

impl NextDue {
    /// The earliest of all.
    pub fn earliest(self) -> Option<Timestamp> {
        [self.send, self.upkeep()].into_iter().flatten().min()
    }

    /// The earliest of all but sending.
    pub fn upkeep(self) -> Option<Timestamp> {
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
        .map_err(Error::during("read what is due next"))?;
        Ok(NextDue { send, enroll, advance, ahead, expire, purge: purge_at(processed, given_up) })
    }

    /// Grows whenever an import or an event changes a fact.
    pub async fn facts_generation(&self) -> Result<i64, Error> {
        sqlx::query_scalar("select facts from facts_generation")
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during("read the generation of the facts"))
    }
}
