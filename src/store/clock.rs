//! The time: the database server's, or the one its `clock` row makes of it.

use chrono::{DateTime, Utc};

use super::{Error, Store};
use crate::core::domain::Timestamp;

/// The speed of time as a multiple of real time: 1 is real, 0 stands still until the clock is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed(pub f64);

impl Store {
    /// Returns the current time of this database, and its speed.
    pub async fn now(&self) -> Result<(Timestamp, Speed), Error> {
        let row: (DateTime<Utc>, f64) = sqlx::query_as(
            "select coalesce(shown + (clock_timestamp() - real) * speed, clock_timestamp()), coalesce(speed, 1)
             from (select 1) one left join clock on true",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(Error::during("read the clock"))?;
        Ok((row.0, Speed(row.1)))
    }

    /// Returns true if nobody has set the clock.
    pub async fn is_real_time(&self) -> Result<bool, Error> {
        sqlx::query_scalar("select not exists (select from clock)")
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during("look for a clock"))
    }

    /// Sets the time to `shown`, moving `speed` times as fast as real time.
    pub async fn set_clock(&self, shown: Timestamp, speed: Speed) -> Result<(), Error> {
        sqlx::query(
            "insert into clock (real, shown, speed) values (clock_timestamp(), $1, $2)
             on conflict (only_row) do update set real = excluded.real, shown = excluded.shown, speed = excluded.speed",
        )
        .bind(shown)
        .bind(speed.0)
        .execute(&self.pool)
        .await
        .map_err(Error::during("set the clock"))?;
        Ok(())
    }
}
