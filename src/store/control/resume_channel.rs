//! Resumption of a channel by an operator.

use sqlx::PgConnection;

use crate::core::domain::Timestamp;
use crate::core::lifecycle::event::EventKind;
use crate::store::event::{Event, tell};
use crate::store::lock::lock_overrides;
use crate::store::runs::affected::Affected;
use crate::store::runs::restriction_lift::{Lifted, lift};
use crate::store::schedule::wake::{wake_sleeping_lanes, wake_waiting};
use crate::store::send::refusal::lift_channels;
use crate::store::{Error, Store};

/// The result of a resumption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumed {
    /// The reasons of the lifted stops: a sentence for the channel, and for each of its numbers and templates.
    pub lifted: Vec<String>,
    /// Runs that waited for a provider, of this channel or another: all are examined.
    pub runs: i64,
}

impl Store {
    /// Lifts every stop of `channel`, its numbers and its templates, in the name of `actor` and for `reason`. Schedules
    /// a look at waiting runs, which pause again if the provider refuses again. One transaction; without anything to
    /// lift, nothing is written.
    pub async fn resume_channel(
        &self,
        channel: &str,
        (actor, reason): (&str, &str),
        now: Timestamp,
    ) -> Result<Resumed, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to resume a channel"))?;
        // This lock ensures that no run is about to pause for a stop that is lifted here.
        lock_overrides(&mut tx).await?;
        // A stopped channel delays lanes before their runs are examined, so all lanes are locked.
        let accounts = Affected::everybody().lock(&mut tx).await?;
        let mut lifted = lift_channels(&mut tx, &[channel]).await?;
        lifted.extend(lift(&mut tx, Lifted::Channel(channel)).await?);
        lifted.extend(lift_refused(&mut tx, channel).await?);
        if lifted.is_empty() {
            return Ok(Resumed::default());
        }
        let runs = wake_waiting(&mut tx, now).await?;
        wake_sleeping_lanes(&mut tx, &accounts, now).await?;
        let sentence = format!("{actor} resumed the channel `{channel}`: {reason}");
        let event = Event::new(EventKind::OverrideSet, Some(actor), sentence);
        let event = Event { after: Some("resume".to_owned()), reason: Some(reason.to_owned()), ..event };
        tell(&mut tx, &[event], now).await?;
        tx.commit().await.map_err(Error::during("commit a resumed channel"))?;
        Ok(Resumed { lifted, runs: i64::try_from(runs).unwrap_or(i64::MAX) })
    }
}

/// Clears the refusals of runs by the channel. Their lanes are locked.
async fn lift_refused(tx: &mut PgConnection, channel: &str) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "with lifted as (
           update run set fault_revision_id = null
           where fault_channel = $1 and fault_revision_id is not null and finished_at is null
           returning case when fault_template is null then message
                     else format('the template `%s` (%s) was refused', fault_template, fault_language) end as why)
         select distinct why from lifted order by why",
    )
    .bind(channel)
    .fetch_all(tx)
    .await
    .map_err(Error::during("lift the faults of a channel"))
}
