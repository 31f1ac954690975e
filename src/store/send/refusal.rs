//! Effects of a refused hand-over beyond its person: lanes slow down; runs, accounts and channels stop. The caller
//! holds the locks of the lanes.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use sqlx::types::Json;

use super::account_health as lane_health;
use super::account_health::AccountRestriction;
use super::fault::Faults;
use crate::core::dispatch::account_health::{HealthRestriction, slow_down};
use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::outcome::{Consequence, Reaction};
use crate::core::lifecycle::run::{Reason, RunRestriction};
use crate::core::lifecycle::send_resources::Template;
use crate::core::manifest::desired::TemplateMessage;
use crate::store::Error;
use crate::store::rows::number;

/// Channels that send nothing for now.
pub(in crate::store) type ChannelRestrictions = BTreeMap<String, ChannelRestriction>;

#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct ChannelRestriction {
    channel: String,
    #[sqlx(json)]
    detail: Detail,
    pub(in crate::store) until: Timestamp,
}

impl ChannelRestriction {
    pub(in crate::store) fn halted(&self) -> RunRestriction {
        RunRestriction {
            reason: Reason::ChannelUnhealthy,
            detail: Detail::ChannelStopped { channel: self.channel.clone(), why: Box::new(self.detail.clone()) },
        }
    }
}

pub(in crate::store) async fn halted_channels(
    tx: &mut PgConnection,
    now: Timestamp,
) -> Result<ChannelRestrictions, Error> {
    let rows: Vec<ChannelRestriction> =
        sqlx::query_as("select channel, detail, until from channel_halt where until > $1")
            .bind(now)
            .fetch_all(tx)
            .await
            .map_err(Error::during("read paused channels"))?;
    Ok(rows.into_iter().map(|row| (row.channel.clone(), row)).collect())
}

/// A hand-over that was refused or unanswered, and its consequence.
#[derive(Debug)]
pub(in crate::store) struct Refused<'a> {
    pub(in crate::store) run: (AccountId, CampaignId),
    /// The channel by name; `None` is the built-in one.
    pub(in crate::store) channel: Option<&'a str>,
    /// The template of the refused message.
    pub(in crate::store) template: Option<&'a TemplateMessage>,
    pub(in crate::store) error: &'a str,
    pub(in crate::store) consequence: Option<Consequence>,
    pub(in crate::store) handed_at: Timestamp,
    /// The effect on the account's send statistics.
    pub(in crate::store) counts: Counts,
}

/// The effect of a refusal on an account's send statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Counts {
    /// Counts as a failed message.
    AsFailure,
    /// Counts only as handed over.
    AsHanded,
    /// Does not count at all.
    Not,
}

impl Counts {
    /// Returns the effect of a refusal that does, or does not, count as an attempt of its message.
    pub(in crate::store) fn of(is_attempt: bool, reaction: Reaction) -> Self {
        match (is_attempt && !reaction.is_of_one_person(), reaction.is_failure()) {
            (false, _) => Self::Not,
            (true, true) => Self::AsFailure,
            (true, false) => Self::AsHanded,
        }
    }
}

/// Applies `refused` at `now`. The lanes of their accounts are locked.
pub(in crate::store) async fn take_effect(
    tx: &mut PgConnection,
    refused: &[Refused<'_>],
    now: Timestamp,
) -> Result<(), Error> {
    if refused.is_empty() {
        return Ok(());
    }
    let mut lanes = lane_health::read(tx, refused.iter().map(|refused| refused.run.0), now).await?;
    let mut faults = Faults::default();
    let mut channels: BTreeMap<&str, &str> = BTreeMap::new();
    for Refused { run: (account, campaign), channel, template, error, consequence, handed_at, counts } in refused {
        let Some(lane) = lanes.get_mut(account) else { continue };
        match counts {
            Counts::AsFailure => lane.send_stats = lane.send_stats.failed(*handed_at),
            Counts::AsHanded => {}
            Counts::Not => lane.send_stats = lane.send_stats.put_off(*handed_at),
        }
        match consequence {
            None | Some(Consequence::Suppress) => {}
            Some(Consequence::SlowLane { after }) => lane.throttle = Some(slow_down(lane.throttle, *after, now)),
            Some(Consequence::PauseRun) => {
                faults.refused((*account, *campaign), error, (*channel, template.map(Template::of)), now);
            }
            Some(Consequence::PauseAccount) => {
                let (reason, detail) = (Reason::ChannelUnhealthy, Detail::Refused { text: (*error).to_owned() });
                lane.halt = Some(AccountRestriction { reason, detail, stop: None });
            }
            Some(Consequence::PauseChannel) => {
                if let Some(channel) = channel {
                    channels.entry(channel).or_insert(error);
                }
            }
        }
    }
    lane_health::save(tx, lanes, now).await?;
    faults.save(tx).await?;
    halt_channels(tx, &channels, now).await
}

/// Lifts the stop of an account whose lane is locked, after a person's decision. Schedules a look at its runs; waiting
/// messages go out as its pace allows.
pub(in crate::store) async fn lift_halt(
    tx: &mut PgConnection,
    account: AccountId,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "with lifted as (delete from account_halt where account_id = $1 returning account_id),
         lanes as (
           update lane l set tally_since = null, tally_before_since = null, handed = 0, failed = 0, handed_before = 0,
                             failed_before = 0, opted_out = 0, opted_out_before = 0, throttled_until = null,
                             wake_at = least(l.wake_at, $2)
           from lifted where l.account_id = lifted.account_id)
         update run r set check_at = least(r.check_at, $2) from lifted
         where r.account_id = lifted.account_id and r.finished_at is null",
    )
    .bind(account.0)
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("lift the pause of an account"))?;
    Ok(())
}

/// Stops channels. This lock comes last: a transaction that waits for it already holds all its other locks.
async fn halt_channels(tx: &mut PgConnection, channels: &BTreeMap<&str, &str>, now: Timestamp) -> Result<(), Error> {
    if channels.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = channels.keys().copied().collect();
    let last: Vec<(String, i32, Timestamp)> = sqlx::query_as(
        "select channel, times, until from channel_halt where channel = any($1) order by channel for update",
    )
    .bind(&names)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("read the pauses of channels"))?;
    let last: BTreeMap<String, HealthRestriction> = last
        .into_iter()
        .map(|(name, times, until)| (name, HealthRestriction { times: times.unsigned_abs(), until }))
        .collect();
    // Messages that left before the stop do not prolong it.
    let anew = channels.iter().filter(|(name, _)| last.get(**name).is_none_or(|stop| stop.until <= now));
    let refused = |error: &str| Detail::Refused { text: error.to_owned() };
    let stops: Vec<(&str, Detail, HealthRestriction)> = anew
        .map(|(name, error)| (*name, refused(error), HealthRestriction::of_channel(last.get(*name).copied(), now)))
        .collect();
    sqlx::query(
        "insert into channel_halt (channel, detail, halted_at, until, times)
         select channel, detail, $5, until, times
         from unnest($1::text[], $2::jsonb[], $3::timestamptz[], $4::int[]) as u (channel, detail, until, times)
         on conflict (channel) do update
           set detail = excluded.detail, halted_at = excluded.halted_at, until = excluded.until, times = excluded.times
           where channel_halt.until <= $5",
    )
    .bind(stops.iter().map(|(name, ..)| *name).collect::<Vec<_>>())
    .bind(stops.iter().map(|(_, detail, _)| Json(detail)).collect::<Vec<_>>())
    .bind(stops.iter().map(|(.., stop)| stop.until).collect::<Vec<_>>())
    .bind(stops.iter().map(|(.., stop)| number(stop.times)).collect::<Vec<_>>())
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("pause channels"))?;
    Ok(())
}

/// Lifts the stops of channels that a person has checked or reconfigured, and returns the reasons of the stops. The
/// lanes that wait for them are locked, and the caller schedules a look at their runs.
pub(in crate::store) async fn lift_channels(tx: &mut PgConnection, channels: &[&str]) -> Result<Vec<Detail>, Error> {
    let lifted: Vec<Json<Detail>> =
        sqlx::query_scalar("delete from channel_halt where channel = any($1) returning detail")
            .bind(channels)
            .fetch_all(tx)
            .await
            .map_err(Error::during("lift the pauses of channels"))?;
    Ok(lifted.into_iter().map(|Json(detail)| detail).collect())
}
