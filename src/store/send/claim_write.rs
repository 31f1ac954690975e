//! Writes of a claim besides attempts: targets, runs and lanes, one statement each for the whole batch.

use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;

use super::fault::Faults;
use super::target_rows::TargetRows;
use super::terms::Terms;
use super::{account_health as lane_health, attempt};
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::account_health::SendStats;
use crate::core::dispatch::lane::{Lane, Selection, Send};
use crate::core::domain::{AccountId, CampaignId, MessageKey, NaiveDate, Timestamp};
use crate::core::lifecycle::target::Event;
use crate::store::Error;
use crate::store::columns::{Batch, columns};
use crate::store::rows::number;

/// Writes all of `selections`; returns the messages that this claim now holds.
pub(super) async fn save(
    tx: &mut PgConnection,
    selections: &[(&Lane, Selection)],
    revision: i32,
    terms: Terms<'_>,
) -> Result<Vec<OutgoingMessage>, Error> {
    let messages = attempt::begin(tx, selections, revision, terms).await?;
    let ours: HashSet<MessageKey> = messages.iter().map(|message| message.key).collect();
    targets(tx, selections, &ours).await?;
    runs(tx, selections, &ours).await?;
    lanes(tx, selections, &ours).await?;
    Ok(messages)
}

async fn targets(
    tx: &mut PgConnection,
    selections: &[(&Lane, Selection)],
    ours: &HashSet<MessageKey>,
) -> Result<(), Error> {
    let mut rows = TargetRows::default();
    for (_, selection) in selections {
        for send in &selection.sends {
            let event = if is_over(send, ours) { Event::Finished } else { Event::Claimed { next: send.next } };
            rows.push(send.key.target, event, selection.at);
        }
        for (key, exit) in &selection.exits {
            rows.push(*key, Event::Left(*exit), selection.at);
        }
        for key in &selection.finished {
            rows.push(*key, Event::Finished, selection.at);
        }
        for (key, until) in &selection.held {
            rows.push(*key, Event::Held { until: *until }, selection.at);
        }
    }
    rows.save(tx).await
}

/// Returns true if the person's last message had already left in an earlier attempt, whatever its result: no outcome
/// will end that sequence.
fn is_over(send: &Send, ours: &HashSet<MessageKey>) -> bool {
    send.next.is_none() && !ours.contains(&send.key)
}

columns! {
    /// A run of a claim, and what the claim did to it.
    struct RunRow {
        account_id: AccountId,
        campaign_id: CampaignId,
        day: NaiveDate,
        taken: i32,
        ended: bool,
        halted: bool,
        at: Timestamp,
    }
}

const SAVE_RUNS: Batch<RunRow> = Batch::of(include_str!("claim_write_runs.sql"));

/// Takes the campaigns' quota, and schedules a look at runs whose last sequence ended or that are stopped.
async fn runs(
    tx: &mut PgConnection,
    selections: &[(&Lane, Selection)],
    ours: &HashSet<MessageKey>,
) -> Result<(), Error> {
    let mut rows = Vec::new();
    let mut faults = Faults::default();
    for (lane, selection) in selections {
        for (campaign, fault) in &selection.faults {
            faults.push((lane.account, *campaign), fault.clone(), selection.at);
        }
        for (campaign, _) in &selection.not_before {
            let sends = selection.sends.iter().filter(|send| ours.contains(&send.key));
            let sent = sends.filter(|send| send.key.target.campaign == *campaign).count();
            let over = selection.sends.iter().filter(|send| is_over(send, ours)).map(|send| &send.key.target);
            let left = selection.exits.iter().map(|(key, _)| key).chain(&selection.finished).chain(over);
            let ended = left.filter(|key| key.campaign == *campaign).count() > 0;
            let halted = selection.halted.contains(campaign);
            if sent == 0 && !ended && !halted {
                continue;
            }
            let taken = i32::try_from(sent).unwrap_or(i32::MAX);
            let (account_id, campaign_id) = (lane.account, *campaign);
            rows.push(RunRow { account_id, campaign_id, day: selection.today, taken, ended, halted, at: selection.at });
        }
    }
    if !rows.is_empty() {
        SAVE_RUNS.query(rows).execute(&mut *tx).await.map_err(Error::during("save the runs"))?;
    }
    faults.save(tx).await
}

columns! {
    /// A lane of a claim: its quota, its pace and its send statistics.
    struct LaneRow {
        account_id: AccountId,
        day: NaiveDate,
        taken: i32,
        slot: Option<Timestamp>,
        wave: i32,
        wave_sent: i32,
        since: Option<Timestamp>,
        handed: i32,
        failed: i32,
        opted_out: i32,
        before_since: Option<Timestamp>,
        handed_before: i32,
        failed_before: i32,
        opted_out_before: i32,
    }
}

columns! {
    /// A run that may send from an instant on.
    struct WaitingRow {
        account_id: AccountId,
        campaign_id: CampaignId,
        not_before: Timestamp,
    }
}

const SAVE_LANES: Batch<(LaneRow, WaitingRow)> = Batch::of_both(include_str!("claim_write_update_lanes.sql"));

/// Takes the accounts' quota, advances their pace, and sets each lane's next wake-up: the earliest instant at which a
/// person is due in a run that may send.
async fn lanes(
    tx: &mut PgConnection,
    selections: &[(&Lane, Selection)],
    ours: &HashSet<MessageKey>,
) -> Result<(), Error> {
    let (mut rows, mut waiting) = (Vec::new(), Vec::new());
    let mut unwell: BTreeMap<Timestamp, Vec<AccountId>> = BTreeMap::new();
    for (lane, selection) in selections {
        let sent = selection.sends.iter().filter(|send| ours.contains(&send.key)).count();
        let stats = match u32::try_from(sent) {
            Ok(0) => lane.send_stats,
            sent => lane.send_stats.handed(sent.unwrap_or(u32::MAX), selection.at, &lane.policy.safety),
        };
        if stats.has_become_unwell(lane.send_stats, &lane.policy.safety) {
            unwell.entry(selection.at).or_default().push(lane.account);
        }
        rows.push(lane_row(lane, selection, sent, &stats));
        let is_faulty = |campaign| selection.faults.iter().any(|(faulty, _)| *faulty == campaign);
        waiting.extend(selection.not_before.iter().filter(|(campaign, _)| !is_faulty(*campaign)).filter_map(
            |(campaign, at)| Some(WaitingRow { account_id: lane.account, campaign_id: *campaign, not_before: (*at)? }),
        ));
    }
    let saved = SAVE_LANES.query_both(rows, waiting).execute(&mut *tx).await;
    saved.map_err(Error::during("save the lanes"))?;
    for (at, accounts) in unwell {
        lane_health::judge(tx, accounts, at).await?;
    }
    Ok(())
}

fn lane_row(lane: &Lane, selection: &Selection, sent: usize, stats: &SendStats) -> LaneRow {
    let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    LaneRow {
        account_id: lane.account,
        day: selection.today,
        taken: small(sent),
        slot: selection.pace.next_slot_at,
        wave: small(selection.pace.wave),
        wave_sent: number(selection.pace.wave_sent),
        since: stats.since,
        handed: number(stats.now.handed),
        failed: number(stats.now.failed),
        opted_out: number(stats.now.opted_out),
        before_since: stats.before_since,
        handed_before: number(stats.before.handed),
        failed_before: number(stats.before.failed),
        opted_out_before: number(stats.before.opted_out),
    }
}
