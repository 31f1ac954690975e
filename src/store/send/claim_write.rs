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
use crate::core::domain::{AccountId, MessageKey, NaiveDate, Timestamp};
use crate::core::lifecycle::target::Event;
use crate::store::Error;
use crate::store::rows::number;

/// Writes all of `draws`; returns the messages that this claim now holds.
pub(super) async fn save(
    tx: &mut PgConnection,
    draws: &[(&Lane, Selection)],
    revision: i32,
    terms: Terms<'_>,
) -> Result<Vec<OutgoingMessage>, Error> {
    let messages = attempt::begin(tx, draws, revision, terms).await?;
    let ours: HashSet<MessageKey> = messages.iter().map(|message| message.key).collect();
    targets(tx, draws, &ours).await?;
    runs(tx, draws, &ours).await?;
    lanes(tx, draws, &ours).await?;
    Ok(messages)
}

async fn targets(tx: &mut PgConnection, draws: &[(&Lane, Selection)], ours: &HashSet<MessageKey>) -> Result<(), Error> {
    let mut rows = TargetRows::default();
    for (_, draw) in draws {
        for send in &draw.sends {
            let event = if is_over(send, ours) { Event::Finished } else { Event::Claimed { next: send.next } };
            rows.push(send.key.target, event, draw.at);
        }
        for (key, exit) in &draw.exits {
            rows.push(*key, Event::Left(*exit), draw.at);
        }
        for key in &draw.finished {
            rows.push(*key, Event::Finished, draw.at);
        }
        for (key, until) in &draw.held {
            rows.push(*key, Event::Held { until: *until }, draw.at);
        }
    }
    rows.save(tx).await
}

/// Returns true if the person's last message had already left in an earlier attempt, whatever its result: no outcome
/// will end that sequence.
fn is_over(send: &Send, ours: &HashSet<MessageKey>) -> bool {
    send.next.is_none() && !ours.contains(&send.key)
}

/// Takes the campaigns' quota, and schedules a look at runs whose last sequence ended or that are stopped.
async fn runs(tx: &mut PgConnection, draws: &[(&Lane, Selection)], ours: &HashSet<MessageKey>) -> Result<(), Error> {
    let (mut accounts, mut campaigns, mut days, mut taken, mut ended, mut halted, mut instants) =
        (vec![], vec![], vec![], vec![], vec![], vec![], vec![]);
    let mut faults = Faults::default();
    for (lane, draw) in draws {
        for (campaign, fault) in &draw.faults {
            faults.push((lane.account, *campaign), fault.clone(), draw.at);
        }
        for (campaign, _) in &draw.not_before {
            let sends = draw.sends.iter().filter(|send| ours.contains(&send.key));
            let sent = sends.filter(|send| send.key.target.campaign == *campaign).count();
            let over = draw.sends.iter().filter(|send| is_over(send, ours)).map(|send| &send.key.target);
            let left = draw.exits.iter().map(|(key, _)| key).chain(&draw.finished).chain(over);
            let anybody_left = left.filter(|key| key.campaign == *campaign).count() > 0;
            let is_halted = draw.halted.contains(campaign);
            if sent == 0 && !anybody_left && !is_halted {
                continue;
            }
            accounts.push(lane.account.0);
            campaigns.push(campaign.0);
            days.push(draw.today);
            taken.push(i32::try_from(sent).unwrap_or(i32::MAX));
            ended.push(anybody_left);
            halted.push(is_halted);
            instants.push(draw.at);
        }
    }
    if !accounts.is_empty() {
        sqlx::query(include_str!("claim_write_runs.sql"))
            .bind(accounts)
            .bind(campaigns)
            .bind(days)
            .bind(taken)
            .bind(ended)
            .bind(halted)
            .bind(instants)
            .execute(&mut *tx)
            .await
            .map_err(Error::during("save the runs"))?;
    }
    faults.save(tx).await
}

/// Takes the accounts' quota, advances their pace, and sets each lane's next wake-up: the earliest instant at which a
/// person is due in a run that may send.
async fn lanes(tx: &mut PgConnection, draws: &[(&Lane, Selection)], ours: &HashSet<MessageKey>) -> Result<(), Error> {
    let (mut accounts, mut days, mut taken, mut slots, mut waves, mut wave_sent) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let mut tallies: Vec<SendStats> = Vec::new();
    let mut unwell: BTreeMap<Timestamp, Vec<AccountId>> = BTreeMap::new();
    let (mut run_accounts, mut run_campaigns, mut not_before) = (vec![], vec![], vec![]);
    for (lane, draw) in draws {
        let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        accounts.push(lane.account.0);
        days.push(draw.today);
        let sent = draw.sends.iter().filter(|send| ours.contains(&send.key)).count();
        taken.push(small(sent));
        let send_stats = match u32::try_from(sent) {
            Ok(0) => lane.send_stats,
            sent => lane.send_stats.handed(sent.unwrap_or(u32::MAX), draw.at, &lane.policy.safety),
        };
        if send_stats.has_become_unwell(lane.send_stats, &lane.policy.safety) {
            unwell.entry(draw.at).or_default().push(lane.account);
        }
        tallies.push(send_stats);
        slots.push(draw.pace.next_slot_at);
        waves.push(small(draw.pace.wave));
        wave_sent.push(number(draw.pace.wave_sent));
        let faulty = |campaign| draw.faults.iter().any(|(faulty, _)| *faulty == campaign);
        for (campaign, at) in draw.not_before.iter().filter(|(campaign, _)| !faulty(*campaign)) {
            if let Some(at) = at {
                run_accounts.push(lane.account.0);
                run_campaigns.push(campaign.0);
                not_before.push(*at);
            }
        }
    }
    let columns = (accounts, days, taken, slots, waves, wave_sent);
    update_lanes(tx, columns, &tallies, (run_accounts, run_campaigns, not_before)).await?;
    for (at, accounts) in unwell {
        lane_health::judge(tx, accounts, at).await?;
    }
    Ok(())
}

type LaneColumns = (Vec<i32>, Vec<NaiveDate>, Vec<i32>, Vec<Option<Timestamp>>, Vec<i32>, Vec<i32>);
type RunColumns = (Vec<i32>, Vec<i32>, Vec<Timestamp>);

async fn update_lanes(
    tx: &mut PgConnection,
    lanes: LaneColumns,
    tallies: &[SendStats],
    runs: RunColumns,
) -> Result<(), Error> {
    let (accounts, days, taken, slots, waves, wave_sent) = lanes;
    let (run_accounts, run_campaigns, not_before) = runs;
    sqlx::query(include_str!("claim_write_update_lanes.sql"))
        .bind(accounts)
        .bind(days)
        .bind(taken)
        .bind(slots)
        .bind(waves)
        .bind(wave_sent)
        .bind(run_accounts)
        .bind(run_campaigns)
        .bind(not_before)
        .bind(tallies.iter().map(|send_stats| send_stats.since).collect::<Vec<_>>())
        .bind(tallies.iter().map(|send_stats| number(send_stats.now.handed)).collect::<Vec<_>>())
        .bind(tallies.iter().map(|send_stats| number(send_stats.now.failed)).collect::<Vec<_>>())
        .bind(tallies.iter().map(|send_stats| number(send_stats.before.handed)).collect::<Vec<_>>())
        .bind(tallies.iter().map(|send_stats| number(send_stats.before.failed)).collect::<Vec<_>>())
        .bind(tallies.iter().map(|send_stats| send_stats.before_since).collect::<Vec<_>>())
        .bind(tallies.iter().map(|send_stats| number(send_stats.now.opted_out)).collect::<Vec<_>>())
        .bind(tallies.iter().map(|send_stats| number(send_stats.before.opted_out)).collect::<Vec<_>>())
        .execute(tx)
        .await
        .map_err(Error::during("save the lanes"))?;
    Ok(())
}
