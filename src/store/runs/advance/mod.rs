//! The advance of runs: reads them, applies the pure lifecycle rules, and saves the results with their events.

mod look;
mod queue;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::PgConnection;
use sqlx::types::Json;

use self::look::{Look, Looking, due_runs, peers, senders};
use self::queue::next_in_queues;
use super::restriction as provider_stop;
use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::ordering::Order;
use crate::core::lifecycle::run::{Phase, Reason};
use crate::core::lifecycle::target::Exit;
use crate::store::Error;
use crate::store::runs::first_match::{FirstMatches, first_matches};
use crate::store::runs::matcher::Seeker;
use crate::store::runs::override_rows::overrides_of;
use crate::store::runs::scene::{Replaced, Scene};
use crate::store::schedule::wake::{check_each, forget_foreseen};
use crate::store::send::refusal::halted_channels;

/// The batch limit in runs. All runs of one account stay in one batch, because they depend on each other.
const BATCH: i64 = 2_000;

/// Advances due runs to the phase that their state implies. The caller holds the lock on overrides. Returns the number
/// of changed phases; `None` if no run was due.
pub(in crate::store) async fn advance(
    tx: &mut PgConnection,
    scene: &Scene<'_>,
    now: Timestamp,
) -> Result<Option<u64>, Error> {
    // Lanes are locked first, because they are the locks of the accounts.
    let accounts: Vec<i32> = sqlx::query_scalar(include_str!("advance.sql"))
        .bind(now)
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("lock the lanes of the runs"))?;
    if accounts.is_empty() {
        return Ok(None);
    }
    look_at(tx, &accounts, scene, None, now).await.map(Some)
}

/// Advances the runs of `accounts`, whose lanes are locked. Returns the number of changed phases.
///
/// Runs that waited for an ended run, or that a started run preempts, are examined in the same transaction: no reader
/// sees a default run active beside a filtered one.
pub(in crate::store) async fn look_at(
    tx: &mut PgConnection,
    accounts: &[i32],
    scene: &Scene<'_>,
    replaced: Option<&Replaced<'_>>,
    now: Timestamp,
) -> Result<u64, Error> {
    let overrides = overrides_of(tx, accounts).await?;
    let channels = halted_channels(tx, now).await?;
    let mut stops = provider_stop::read(tx, now).await?;
    let mut changed = 0;
    loop {
        let mut rows = due_runs(tx, accounts, &scene.specs, now).await?;
        if stops.concern_senders() {
            provider_stop::know(tx, &mut stops, &senders(&rows, scene)).await?;
        }
        rows.sort_by_key(|row| (row.account_id, scene.order.rank(CampaignId(row.campaign_id))));
        let peers = peers(tx, &rows, scene.order, &overrides, now).await?;
        let mut matches = FirstMatches::new();
        // A run that waits for people lets the next one of its queue begin, which may wait too.
        let looks = loop {
            let looking = Looking {
                scene,
                overrides: &overrides,
                channels: &channels,
                stops: &stops,
                replaced,
                matches: &matches,
                now,
            };
            let looks = looking.all(rows.clone(), peers.clone())?;
            let mut asked: BTreeMap<CampaignId, Vec<Seeker>> = BTreeMap::new();
            for look in &looks {
                if let Some(seeker) = &look.undecided {
                    asked.entry(look.campaign).or_default().push(seeker.clone());
                }
            }
            if asked.is_empty() {
                break looks;
            }
            matches.extend(first_matches(tx, scene, asked, now).await?);
        };
        changed += looks.iter().filter(|look| look.after.phase != look.before).count() as u64;
        exit_targets(tx, &looks, now).await?;
        save(tx, &looks, now).await?;
        if !touch_concerned(tx, &looks, scene.order, now).await? {
            return Ok(changed);
        }
    }
}

/// Schedules a look at runs that depend on a changed run, unless they were examined after it. Returns `false` if there
/// are none.
async fn touch_concerned(tx: &mut PgConnection, looks: &[Look], order: &Order, now: Timestamp) -> Result<bool, Error> {
    let place = |(at, look): (usize, &Look)| ((look.account, look.campaign), at);
    let places: HashMap<(AccountId, CampaignId), usize> = looks.iter().enumerate().map(place).collect();
    let changed = || looks.iter().enumerate().filter(|(_, look)| look.concerns);
    // A run examined after the change has already seen it.
    let mut concerned: BTreeSet<(i32, i32)> = changed()
        .flat_map(|(at, look)| order.concerned_by(look.campaign).map(move |id| (at, (look.account, id))))
        .filter(|(at, run)| places.get(run).is_none_or(|place| place < at))
        .map(|(_, (account, campaign))| (account.0, campaign.0))
        .collect();
    forget_foreseen(tx, changed().map(|(_, look)| (look.account, look.campaign)), now).await?;
    // In a queue, later runs are examined after earlier ones.
    let seen = |account, campaign| places.contains_key(&(account, campaign));
    let next = next_in_queues(tx, changed().map(|(_, look)| look), order, seen).await?;
    // A run may also wait for a later one of its queue that began first.
    let queued = |run: (i32, i32)| {
        let place = places.get(&(AccountId(run.0), CampaignId(run.1)));
        place.is_none_or(|place| looks[*place].after.reason == Reason::QueuedBehind)
    };
    concerned.extend(next.into_iter().filter(|run| queued(*run)));
    if concerned.is_empty() {
        return Ok(false);
    }
    let concerned = concerned.into_iter().map(|(account, campaign)| (AccountId(account), CampaignId(campaign)));
    check_each(tx, concerned, now).await
}

/// Exits the active targets of finished runs.
async fn exit_targets(tx: &mut PgConnection, looks: &[Look], now: Timestamp) -> Result<(), Error> {
    let over: Vec<&Look> = looks.iter().filter(|look| look.after.phase.is_final()).collect();
    if over.is_empty() {
        return Ok(());
    }
    let exit = |look: &&Look| match look.after.phase {
        Phase::Cancelled => Exit::Cancelled.as_str(),
        Phase::Draft | Phase::Scheduled | Phase::Active | Phase::Paused | Phase::Completed => Exit::Expired.as_str(),
    };
    sqlx::query(include_str!("advance_exit_targets.sql"))
        .bind(over.iter().map(|look| look.account.0).collect::<Vec<_>>())
        .bind(over.iter().map(|look| look.campaign.0).collect::<Vec<_>>())
        .bind(over.iter().map(exit).collect::<Vec<_>>())
        .bind(now)
        .execute(tx)
        .await
        .map_err(Error::during("exit the targets of finished runs"))?;
    Ok(())
}

/// Saves the results; a new phase, reason or order produces an event.
async fn save(tx: &mut PgConnection, looks: &[Look], now: Timestamp) -> Result<(), Error> {
    sqlx::query(include_str!("advance_save.sql"))
        .bind(looks.iter().map(|look| look.account.0).collect::<Vec<_>>())
        .bind(looks.iter().map(|look| look.campaign.0).collect::<Vec<_>>())
        .bind(looks.iter().map(|look| look.after.phase.as_str()).collect::<Vec<_>>())
        .bind(looks.iter().map(|look| look.after.reason.as_str()).collect::<Vec<_>>())
        .bind(looks.iter().map(|look| Json(&look.after.detail)).collect::<Vec<_>>())
        .bind(looks.iter().map(|look| look.check_at).collect::<Vec<_>>())
        .bind(now)
        .bind(
            looks.iter().filter(|look| look.after.phase != look.before).map(|look| look.account.0).collect::<Vec<_>>(),
        )
        .bind(looks.iter().map(|look| Json(&look.told)).collect::<Vec<_>>())
        .bind(looks.iter().map(|look| look.ahead).collect::<Vec<_>>())
        .bind(looks.iter().map(|look| look.actor.as_deref()).collect::<Vec<_>>())
        .execute(tx)
        .await
        .map_err(Error::during("save the runs"))?;
    Ok(())
}
