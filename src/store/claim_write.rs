//! What a claim writes: attempts, targets, runs and lanes, a statement each for the whole batch.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::PgConnection;

use super::Error;
use super::claim::{Claim, Claimed, Keys, Terms};
use super::fault::Faults;
use crate::domain::{MessageKey, NaiveDate, TargetKey, Timestamp};
use crate::health::Tally;
use crate::lane::{Draw, Lane, Send};

/// Writes all of `draws`; the messages that are now ours come back.
pub(super) async fn save(
    tx: &mut PgConnection,
    draws: &[(&Lane, Draw)],
    revision: i32,
    terms: Terms<'_>,
) -> Result<Claim, Error> {
    let messages = attempts(tx, draws, revision, terms).await?;
    let ours: HashSet<MessageKey> = messages.iter().map(|message| message.key).collect();
    targets(tx, draws, &ours).await?;
    runs(tx, draws, &ours).await?;
    lanes(tx, draws, &ours).await?;
    Ok(Claim { messages, lanes: draws.len(), stale: false })
}

/// Makes the attempts durable. A message that is not `queued` from an earlier, certainly failed attempt stays as it
/// is and is not ours.
async fn attempts(
    tx: &mut PgConnection,
    draws: &[(&Lane, Draw)],
    revision: i32,
    terms: Terms<'_>,
) -> Result<Vec<Claimed>, Error> {
    let mut keys = Keys::default();
    let (mut days, mut phones, mut languages, mut texts, mut counts_on, mut due_at, mut queued_at) =
        (vec![], vec![], vec![], vec![], vec![], vec![], vec![]);
    for (draw, send) in draws.iter().flat_map(|(_, draw)| draw.sends.iter().map(move |send| (draw, send))) {
        keys.push(send.key.target);
        days.push(send.key.day);
        phones.push(send.phone.as_str());
        languages.push(send.content.language.as_str());
        texts.push(send.content.text.as_str());
        counts_on.push(draw.today);
        due_at.push(send.due_at);
        queued_at.push(draw.at);
    }
    if days.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i32, i32, i64, i16, i16, i64)> = sqlx::query_as(
        "with sends as (
           select * from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[], $6::text[], $7::text[],
                                $8::date[], $9::timestamptz[], $12::timestamptz[])
             as s (account_id, campaign_id, referral_id, day, phone, language, text, counts_on, queued_at, due_at)),
         claimed as (
           insert into message as m (account_id, referral_id, campaign_id, day, state, attempts, counts_on, phone,
                                     language, text, revision_id, due_at, queued_at)
           select account_id, referral_id, campaign_id, day, 'sending', 1, counts_on, phone, language, text, $10,
                  due_at, queued_at from sends
           on conflict (account_id, referral_id, campaign_id, day) do update
             set state = 'sending', attempts = m.attempts + 1, counts_on = excluded.counts_on, phone = excluded.phone,
                 language = excluded.language, text = excluded.text, revision_id = excluded.revision_id, error = null
             where m.state = 'queued'
           returning account_id, campaign_id, referral_id, day, attempts),
         leased as (
           insert into lease (until, account_ids, campaign_ids, referral_ids, days)
           select $11, array_agg(account_id), array_agg(campaign_id), array_agg(referral_id), array_agg(day)
           from claimed group by case when $13 then account_id end
           returning id, account_ids[1] as account_id)
         select claimed.*, leased.id from claimed join leased on not $13 or leased.account_id = claimed.account_id",
    )
    .bind(keys.accounts)
    .bind(keys.campaigns)
    .bind(keys.referrals)
    .bind(days)
    .bind(phones)
    .bind(languages)
    .bind(texts)
    .bind(counts_on)
    .bind(queued_at)
    .bind(revision)
    .bind(terms.until)
    .bind(due_at)
    .bind(terms.apart)
    .fetch_all(tx)
    .await
    .map_err(Error::during("save the attempts"))?;

    let attempts: HashMap<MessageKey, (u16, i64)> = rows
        .into_iter()
        .map(|(account, campaign, referral, day, attempts, lease)| {
            let target = TargetKey {
                account: crate::domain::AccountId(account),
                campaign: crate::domain::CampaignId(campaign),
                referral: crate::domain::ReferralId(referral),
            };
            (MessageKey { target, day }, (attempts.unsigned_abs(), lease))
        })
        .collect();
    let claimed = draws.iter().flat_map(|(lane, draw)| draw.sends.iter().map(move |send| (lane, draw, send)));
    let messages = claimed.filter_map(|(lane, draw, send)| {
        let (attempts, lease) = *attempts.get(&send.key)?;
        Some(Claimed {
            key: send.key,
            lease,
            phone: send.phone.clone(),
            email: send.email.clone(),
            channel: send.channel.clone(),
            content: send.content.clone(),
            attempts,
            failed_days: send.failed_days,
            last: send.next.is_none(),
            counts_on: draw.today,
            claimed_at: draw.at,
            policy: Arc::clone(&lane.policy),
        })
    });
    Ok(messages.collect())
}

/// Columns of targets that change; see `lifecycle::target`.
#[derive(Debug, Default)]
pub(super) struct TargetRows {
    keys: Keys,
    states: Vec<&'static str>,
    exits: Vec<Option<&'static str>>,
    days: Vec<Option<i16>>,
    due_at: Vec<Option<Timestamp>>,
    at: Vec<Timestamp>,
}

/// One change of a target.
#[derive(Debug, Clone, Copy)]
pub(super) enum TargetRow {
    /// Goes on: with this day (`None`: the same), due at this instant (`None`: its last message is out).
    Active {
        day: Option<i16>,
        due_at: Option<Timestamp>,
    },
    Completed,
    Exited(crate::lifecycle::target::Exit),
}

impl TargetRows {
    /// Notes a change that happens at this instant.
    pub(super) fn push(&mut self, key: TargetKey, row: TargetRow, at: Timestamp) {
        let (state, exit, day, due_at) = match row {
            TargetRow::Active { day, due_at } => ("active", None, day, due_at),
            TargetRow::Completed => ("completed", None, None, None),
            TargetRow::Exited(exit) => ("exited", Some(exit.as_str()), None, None),
        };
        self.keys.push(key);
        self.states.push(state);
        self.exits.push(exit);
        self.days.push(day);
        self.due_at.push(due_at);
        self.at.push(at);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Whoever leaves takes along the message that waited for another attempt: it is never tried again.
    async fn close_queued(&self, tx: &mut PgConnection) -> Result<(), Error> {
        sqlx::query(
            "update message m set state = 'failed', error = coalesce(m.error || '; ', '') || 'the person left'
             from unnest($1::int[], $2::int[], $3::bigint[], $4::text[]) as u (account_id, campaign_id, referral_id, state)
             where (m.account_id, m.referral_id, m.campaign_id) = (u.account_id, u.referral_id, u.campaign_id)
               and u.state <> 'active' and m.state = 'queued'",
        )
        .bind(&self.keys.accounts)
        .bind(&self.keys.campaigns)
        .bind(&self.keys.referrals)
        .bind(&self.states)
        .execute(tx)
        .await
        .map_err(Error::during("close messages of who left"))?;
        Ok(())
    }

    /// Saves the changes of targets that are still active; the others stay as they ended.
    pub(super) async fn save(self, tx: &mut PgConnection) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        if self.states.iter().any(|state| *state != "active") {
            self.close_queued(tx).await?;
        }
        sqlx::query(
            "update target t
             set state = u.state, exit_reason = u.exit_reason, day = coalesce(u.day, t.day), due_at = u.due_at,
                 ended_at = case when u.state = 'active' then null else u.at end
             from unnest($1::int[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::smallint[], $7::timestamptz[],
                         $8::timestamptz[])
                  as u (account_id, campaign_id, referral_id, state, exit_reason, day, due_at, at)
             where (t.account_id, t.campaign_id, t.referral_id) = (u.account_id, u.campaign_id, u.referral_id)
               and t.state = 'active'",
        )
        .bind(self.keys.accounts)
        .bind(self.keys.campaigns)
        .bind(self.keys.referrals)
        .bind(self.states)
        .bind(self.exits)
        .bind(self.days)
        .bind(self.due_at)
        .bind(self.at)
        .execute(tx)
        .await
        .map_err(Error::during("save the targets"))?;
        Ok(())
    }
}

async fn targets(tx: &mut PgConnection, draws: &[(&Lane, Draw)], ours: &HashSet<MessageKey>) -> Result<(), Error> {
    let mut rows = TargetRows::default();
    for (_, draw) in draws {
        for send in &draw.sends {
            let row = match send.next {
                Some((day, due_at)) => TargetRow::Active { day: i16::try_from(day).ok(), due_at: Some(due_at) },
                None if is_over(send, ours) => TargetRow::Completed,
                None => TargetRow::Active { day: None, due_at: None },
            };
            rows.push(send.key.target, row, draw.at);
        }
        for (key, exit) in &draw.exits {
            rows.push(*key, TargetRow::Exited(*exit), draw.at);
        }
        for key in &draw.finished {
            rows.push(*key, TargetRow::Completed, draw.at);
        }
        for (key, until) in &draw.held {
            rows.push(*key, TargetRow::Active { day: None, due_at: Some(*until) }, draw.at);
        }
    }
    rows.save(tx).await
}

/// Whether the last message of a person had left before, whatever the channel said of it: no outcome is going to end
/// their sequence.
fn is_over(send: &Send, ours: &HashSet<MessageKey>) -> bool {
    send.next.is_none() && !ours.contains(&send.key)
}

/// Takes the campaigns' quota, and has runs looked at where the last one ended or that are stopped.
async fn runs(tx: &mut PgConnection, draws: &[(&Lane, Draw)], ours: &HashSet<MessageKey>) -> Result<(), Error> {
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
        sqlx::query(
            "update run r
             set taken = case when u.taken = 0 or r.taken_on >= u.day then r.taken else 0 end + u.taken,
                 taken_on = case when u.taken = 0 then r.taken_on else greatest(r.taken_on, u.day) end,
                 check_at = case when u.halted or (u.ended and not exists (
                                   select from target t where t.account_id = r.account_id and t.campaign_id = r.campaign_id
                                                          and t.state = 'active'))
                                 then u.at else r.check_at end
             from unnest($1::int[], $2::int[], $3::date[], $4::int[], $5::boolean[], $6::boolean[], $7::timestamptz[])
                  as u (account_id, campaign_id, day, taken, ended, halted, at)
             where r.account_id = u.account_id and r.campaign_id = u.campaign_id",
        )
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

/// Takes the accounts' quota, moves their pace on, and says when each lane is next worth a look: the earliest
/// instant at which somebody is due in a run that may send.
async fn lanes(tx: &mut PgConnection, draws: &[(&Lane, Draw)], ours: &HashSet<MessageKey>) -> Result<(), Error> {
    let (mut accounts, mut days, mut taken, mut slots, mut waves, mut wave_sent) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let mut tallies: Vec<Tally> = Vec::new();
    let (mut run_accounts, mut run_campaigns, mut not_before) = (vec![], vec![], vec![]);
    for (lane, draw) in draws {
        let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        accounts.push(lane.account.0);
        days.push(draw.today);
        let sent = draw.sends.iter().filter(|send| ours.contains(&send.key)).count();
        taken.push(small(sent));
        tallies.push(match u32::try_from(sent) {
            Ok(0) => lane.tally,
            sent => lane.tally.handed(sent.unwrap_or(u32::MAX), draw.at, &lane.policy.safety),
        });
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
    update_lanes(tx, columns, &tallies, (run_accounts, run_campaigns, not_before)).await
}

/// As Postgres counts.
pub(super) fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

type LaneColumns = (Vec<i32>, Vec<NaiveDate>, Vec<i32>, Vec<Option<Timestamp>>, Vec<i32>, Vec<i32>);
type RunColumns = (Vec<i32>, Vec<i32>, Vec<Timestamp>);

async fn update_lanes(
    tx: &mut PgConnection,
    lanes: LaneColumns,
    tallies: &[Tally],
    runs: RunColumns,
) -> Result<(), Error> {
    let (accounts, days, taken, slots, waves, wave_sent) = lanes;
    let (run_accounts, run_campaigns, not_before) = runs;
    sqlx::query(
        "with next as (
           select q.account_id, min(greatest(q.not_before, t.due_at)) as wake_at
           from unnest($7::int[], $8::int[], $9::timestamptz[]) as q (account_id, campaign_id, not_before)
           cross join lateral (
             select due_at from target t
             where t.account_id = q.account_id and t.campaign_id = q.campaign_id and t.state = 'active'
               and t.due_at is not null
             order by t.due_at limit 1) t
           group by q.account_id)
         update lane l
         set taken = case when u.taken = 0 or l.taken_on >= u.day then l.taken else 0 end + u.taken,
             taken_on = case when u.taken = 0 then l.taken_on else greatest(l.taken_on, u.day) end,
             next_slot_at = u.slot, wave = u.wave, wave_sent = u.wave_sent, wake_at = next.wake_at,
             tally_since = u.since, tally_before_since = u.before_since, handed = u.handed, failed = u.failed,
             handed_before = u.handed_before, failed_before = u.failed_before, opted_out = u.opted_out,
             opted_out_before = u.opted_out_before
         from unnest($1::int[], $2::date[], $3::int[], $4::timestamptz[], $5::int[], $6::int[], $10::timestamptz[],
                     $11::int[], $12::int[], $13::int[], $14::int[], $15::timestamptz[],
                     $16::int[], $17::int[])
              as u (account_id, day, taken, slot, wave, wave_sent, since, handed, failed, handed_before, failed_before, before_since,
                    opted_out, opted_out_before)
         left join next on next.account_id = u.account_id
         where l.account_id = u.account_id",
    )
    .bind(accounts)
    .bind(days)
    .bind(taken)
    .bind(slots)
    .bind(waves)
    .bind(wave_sent)
    .bind(run_accounts)
    .bind(run_campaigns)
    .bind(not_before)
    .bind(tallies.iter().map(|tally| tally.since).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.now.handed)).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.now.failed)).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.before.handed)).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.before.failed)).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| tally.before_since).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.now.opted_out)).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.before.opted_out)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::during("save the lanes"))?;
    Ok(())
}
