//! An operator lifts what stops a channel.

use super::claim::lock_lanes;
use super::event::{Event, tell};
use super::halt::lift_channels;
use super::provider_stop::{Lifted, lift, waiting, wake_waiting};
use super::{Error, Store};
use crate::domain::Timestamp;
use crate::lifecycle::event::EventKind;

/// What that came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Why it was stopped: a sentence for the channel, and for each of its numbers and templates.
    pub lifted: Vec<String>,
    /// Runs that waited for a provider, of this channel or another: all are looked at.
    pub runs: i64,
}

impl Store {
    /// Has `actor` lift whatever stops `channel`, or one of its numbers or templates, for `reason`. Those who waited are
    /// looked at, and stop again when the provider says so again. One transaction; without anything to lift nothing is
    /// written.
    pub async fn resume_channel(
        &self,
        channel: &str,
        (actor, reason): (&str, &str),
        now: Timestamp,
    ) -> Result<Resumed, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to resume a channel"))?;
        let accounts = waiting(&mut tx).await?;
        lock_lanes(&mut tx, &accounts).await?;
        let mut lifted = lift_channels(&mut tx, &[channel]).await?;
        lifted.extend(lift(&mut tx, Lifted::Channel(channel)).await?);
        let refused: Vec<String> = sqlx::query_scalar(
            "with lifted as (
               update run set fault_revision_id = null
               where fault_channel = $1 and fault_revision_id is not null and finished_at is null
               returning fault_template, fault_language)
             select distinct format('the template `%s` (%s) was refused', fault_template, fault_language) from lifted order by 1",
        )
        .bind(channel)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("lift the faults of a channel"))?;
        lifted.extend(refused);
        if lifted.is_empty() {
            return Ok(Resumed::default());
        }
        let runs = wake_waiting(&mut tx, now).await?;
        let sentence = format!("{actor} resumed the channel `{channel}`: {reason}");
        let event = Event::new(EventKind::OverrideSet, Some(actor), sentence);
        let event = Event { after: Some("resume".to_owned()), reason: Some(reason.to_owned()), ..event };
        tell(&mut tx, &[event], now).await?;
        tx.commit().await.map_err(Error::during("commit that a channel is resumed"))?;
        Ok(Resumed { lifted, runs: i64::try_from(runs).unwrap_or(i64::MAX) })
    }
}
