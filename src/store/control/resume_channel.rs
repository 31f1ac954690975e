//! Resumption of a channel by an operator.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::Detail;
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
    /// The reasons of the lifted stops: of the channel, and of each of its numbers and templates.
    pub lifted: Vec<Detail>,
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
        let (channel, reason) = (channel.to_owned(), reason.to_owned());
        let detail = Detail::ChannelResumed { channel, actor: actor.to_owned(), reason: reason.clone() };
        let event = Event::new(EventKind::OverrideSet, Some(actor), detail);
        let event = Event { after: Some("resume".to_owned()), reason: Some(reason), ..event };
        tell(&mut tx, &[event], now).await?;
        tx.commit().await.map_err(Error::during("commit a resumed channel"))?;
        Ok(Resumed { lifted, runs: i64::try_from(runs).unwrap_or(i64::MAX) })
    }
}

/// Clears the refusals of runs by the channel. Their lanes are locked.
async fn lift_refused(tx: &mut PgConnection, channel: &str) -> Result<Vec<Detail>, Error> {
    let lifted: Vec<(Option<String>, Option<String>, Json<Detail>)> = sqlx::query_as(
        "with lifted as (
           update run set fault_revision_id = null
           where fault_channel = $1 and fault_revision_id is not null and finished_at is null
           returning fault_template as template, fault_language as language,
                     case when fault_template is null then detail else '{}' end as detail)
         select distinct template, language, detail from lifted order by template, language, detail",
    )
    .bind(channel)
    .fetch_all(tx)
    .await
    .map_err(Error::during("lift the faults of a channel"))?;
    let why = |(template, language, Json(detail)): (Option<String>, Option<String>, Json<Detail>)| match template {
        Some(template) => Detail::TemplateRefused { template, language: language.unwrap_or_default() },
        None => detail,
    };
    Ok(lifted.into_iter().map(why).collect())
}
