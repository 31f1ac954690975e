//! Outcomes: what the channel said of a claimed batch, and what to think when it never said anything.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::PgConnection;

use super::claim::Claimed;
use super::message_rows;
use super::refusal::{Counts, Refused, take_effect};
use super::target_rows::{TargetRow, TargetRows};
use crate::core::domain::{AccountId, MessageKey, NaiveDate, Name, Phone, Timestamp};
use crate::core::lifecycle::message::State;
use crate::core::lifecycle::outcome::{Consequence, Following, Outcome, Settlement};
use crate::store::inbound::suppression::Listed;
use crate::store::keys::Keys;
use crate::store::lock::{lock_lanes, lock_messages};
use crate::store::rows::message_key;
use crate::store::schedule::wake::{Changed, look_again};
use crate::store::{Error, Store};

/// Leases looked at in one go.
const EXPIRED_LEASES: i64 = 100;

impl Store {
    /// Saves what became of messages and gives their leases back, in one transaction: message states, targets that end
    /// or come back, and the quota of what certainly did not leave.
    pub async fn save_outcomes(&self, outcomes: &[(Claimed, Outcome)], now: Timestamp) -> Result<(), Error> {
        let settled: Vec<(&Claimed, &Outcome, Settlement)> =
            outcomes.iter().map(|(claimed, outcome)| (claimed, outcome, claimed.settle(outcome, now))).collect();
        self.suppress_refused(&settled, now).await?;
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to save outcomes"))?;
        let ours = return_leases(&mut tx, &settled).await?;
        let (in_time, late): (Vec<_>, Vec<_>) =
            settled.into_iter().partition(|(claimed, ..)| ours.contains(&claimed.lease));
        let refused = follow(&mut tx, &in_time, now).await?;
        // Of what is late, the messages are `uncertain` and their targets have gone on. What did leave is still worth
        // knowing; what did not must not be tried again behind the back of whoever looked at it since.
        let left = late.into_iter().filter(|(_, outcome, _)| matches!(outcome, Outcome::Accepted { .. }));
        let mut settled: Vec<_> = in_time.into_iter().chain(left).collect();
        // Messages are locked in the order of their keys, as by whoever notes receipts.
        settled.sort_by_key(|(claimed, ..)| claimed.key);
        message_rows::save(&mut tx, &settled, now).await?;
        // Channels stop after messages are locked, as by whoever notes receipts.
        take_effect(&mut tx, &refused, now).await?;
        tx.commit().await.map_err(Error::during("commit outcomes"))
    }

    /// Turns the messages of leases that ran out into `uncertain`, unless a receipt has told more of them, and lets their
    /// targets go on. Nothing is resent. Returns how many are uncertain now.
    pub async fn expire_leases(&self, now: Timestamp) -> Result<u64, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to expire leases"))?;
        let lost: Vec<(i32, i32, i64, i16)> = sqlx::query_as(
            "with stale as (
               delete from lease where id in (
                 select id from lease where until <= $1 order by id limit $2 for update skip locked)
               returning account_ids, campaign_ids, referral_ids, days)
             select k.* from stale s, unnest(s.account_ids, s.campaign_ids, s.referral_ids, s.days)
               as k (account_id, campaign_id, referral_id, day)",
        )
        .bind(now)
        .bind(EXPIRED_LEASES)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("expire leases"))?;
        if lost.is_empty() {
            return Ok(0);
        }
        lock_lanes(&mut tx, &lost.iter().map(|key| AccountId(key.0)).collect::<Vec<_>>()).await?;
        let uncertain = doubt(&mut tx, &lost).await?;
        move_on(&mut tx, &lost, now).await?;
        tx.commit().await.map_err(Error::during("commit expired leases"))?;
        Ok(uncertain)
    }
}

impl Store {
    /// Suppresses those of whom the provider says that they want nothing. First of all and on its own: whoever dies after
    /// it leaves messages that are uncertain, and nobody who is written to against their word.
    async fn suppress_refused(
        &self,
        settled: &[(&Claimed, &Outcome, Settlement)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut by_reason: BTreeMap<&str, BTreeSet<Phone>> = BTreeMap::new();
        for (claimed, outcome, settlement) in settled {
            if let (Outcome::Refused(refusal), Some(Consequence::Suppress)) = (outcome, settlement.consequence) {
                by_reason.entry(&refusal.error).or_default().insert(claimed.phone.clone());
            }
        }
        for (reason, phones) in by_reason {
            self.suppress(&phones, Listed::ByProvider, Some(reason), now).await?;
        }
        Ok(())
    }
}

/// Gives the leases back that are still ours; of the others somebody else took care when they ran out.
async fn return_leases(
    tx: &mut PgConnection,
    settled: &[(&Claimed, &Outcome, Settlement)],
) -> Result<HashSet<i64>, Error> {
    let leases: BTreeSet<i64> = settled.iter().map(|(claimed, ..)| claimed.lease).collect();
    // In their order, as whoever takes those that ran out.
    let ours: Vec<i64> = sqlx::query_scalar(
        "delete from lease where id in (select id from lease where id = any($1) order by id for update) returning id",
    )
    .bind(leases.into_iter().collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("return leases"))?;
    Ok(ours.into_iter().collect())
}

/// Has those of lost messages be `uncertain` of which nothing was told. The lanes are locked.
async fn doubt(tx: &mut PgConnection, keys: &[(i32, i32, i64, i16)]) -> Result<u64, Error> {
    let states = lock_messages(tx, keys.iter().copied().map(message_key)).await?;
    let silent: Vec<MessageKey> =
        states.into_iter().filter(|(_, state)| *state == State::Sending).map(|(key, _)| key).collect();
    let targets: Keys = silent.iter().map(|key| key.target).collect();
    sqlx::query(
        "update message m set state = 'uncertain', error = 'no outcome was recorded'
         from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[])
              as u (account_id, campaign_id, referral_id, day)
         where (m.account_id, m.referral_id, m.campaign_id, m.day)
             = (u.account_id, u.referral_id, u.campaign_id, u.day)",
    )
    .bind(targets.accounts)
    .bind(targets.campaigns)
    .bind(targets.referrals)
    .bind(silent.iter().map(|key| key.day).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::during("doubt messages that nothing was told of"))?;
    Ok(silent.len() as u64)
}

/// Of the targets of lost messages, those whose last one it was are done; for the others the day counts as sent.
async fn move_on(tx: &mut PgConnection, keys: &[(i32, i32, i64, i16)], now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "with moved as (
           update target t
           set failed_days = 0, state = case when t.due_at is null and t.day = k.day then 'completed' else 'active' end,
               ended_at = case when t.due_at is null and t.day = k.day then $5 end
           from (select account_id, campaign_id, referral_id, max(day) as day
                 from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[])
                      as u (account_id, campaign_id, referral_id, day) group by 1, 2, 3) k
           where (t.account_id, t.campaign_id, t.referral_id) = (k.account_id, k.campaign_id, k.referral_id)
             and t.state = 'active' and (t.failed_days > 0 or (t.due_at is null and t.day = k.day))
           returning t.account_id, t.campaign_id)
         update run r set check_at = $5 from (select distinct * from moved) moved
         where r.account_id = moved.account_id and r.campaign_id = moved.campaign_id",
    )
    .bind(keys.iter().map(|key| key.0).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.1).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.2).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.3).collect::<Vec<_>>())
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("have targets of lost messages go on"))?;
    Ok(())
}

/// Moves the targets and gives quota back: rare, most outcomes change the message only. Returns what was refused, which is
/// to take effect; the lanes of that are locked.
async fn follow<'a>(
    tx: &mut PgConnection,
    settled: &[(&'a Claimed, &'a Outcome, Settlement)],
    now: Timestamp,
) -> Result<Vec<Refused<'a>>, Error> {
    let mut targets = TargetRows::default();
    let mut changed = Changed::default();
    let (mut back, mut back_days): (Keys, Vec<NaiveDate>) = (Keys::default(), Vec::new());
    let mut failures = (Keys::default(), Vec::<i16>::new());
    let mut refused = Vec::new();
    for (claimed, outcome, settlement) in settled {
        let (key, at) = (claimed.key.target, now.max(claimed.claimed_at));
        match settlement.following {
            Following::Nothing => {}
            Following::Finish | Following::LastDayFailed => targets.push(key, TargetRow::Completed, at),
            Following::Retry { due_at } => {
                let row = TargetRow::Active { day: Some(claimed.key.day), due_at: Some(due_at) };
                targets.push(key, row, at);
            }
            Following::DayFailed { failed_days } => {
                failures.0.push(key);
                failures.1.push(i16::try_from(failed_days).unwrap_or(i16::MAX));
            }
            Following::Leave(exit) => targets.push(key, TargetRow::Exited(exit), at),
        }
        if settlement.following != Following::Nothing || settlement.give_back {
            changed.keys.push(key);
            changed.at.push(at);
            changed.gave_back.push(settlement.give_back);
        }
        if settlement.give_back {
            back.push(key);
            back_days.push(claimed.counts_on);
        }
        let (error, counts) = match outcome {
            Outcome::Accepted { .. } => continue,
            Outcome::Refused(refusal) => (&refusal.error, Counts::of(settlement.counts, refusal.reaction)),
            Outcome::Unknown { error } => (error, Counts::AsFailure),
        };
        refused.push(Refused {
            run: (key.account, key.campaign),
            channel: claimed.channel.as_ref().map(Name::as_str),
            template: claimed.content.template.as_ref(),
            error,
            consequence: settlement.consequence,
            handed_at: claimed.claimed_at,
            counts,
        });
    }
    if changed.at.is_empty() && refused.is_empty() {
        return Ok(refused);
    }
    let concerned = changed.keys.accounts.iter().map(|id| AccountId(*id)).chain(refused.iter().map(|one| one.run.0));
    lock_lanes(tx, &concerned.collect::<Vec<_>>()).await?;
    targets.save(tx).await?;
    if !failures.1.is_empty() {
        count_failed_days(tx, failures.0, failures.1).await?;
    }
    look_again(tx, changed).await?;
    if !back_days.is_empty() {
        give_back(tx, back, back_days).await?;
    }
    Ok(refused)
}

async fn count_failed_days(tx: &mut PgConnection, keys: Keys, failed_days: Vec<i16>) -> Result<(), Error> {
    sqlx::query(
        "update target t set failed_days = u.failed_days
         from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[])
              as u (account_id, campaign_id, referral_id, failed_days)
         where (t.account_id, t.campaign_id, t.referral_id) = (u.account_id, u.campaign_id, u.referral_id)",
    )
    .bind(keys.accounts)
    .bind(keys.campaigns)
    .bind(keys.referrals)
    .bind(failed_days)
    .execute(tx)
    .await
    .map_err(Error::during("count failed days"))?;
    Ok(())
}

/// Gives the quota of a day back, unless that day is over: then it is worth nothing.
pub(in crate::store) async fn give_back(tx: &mut PgConnection, keys: Keys, days: Vec<NaiveDate>) -> Result<(), Error> {
    sqlx::query(
        "with back as (
           select account_id, campaign_id, day, count(*)::int as n
           from unnest($1::int[], $2::int[], $3::date[]) as u (account_id, campaign_id, day) group by 1, 2, 3),
         lanes as (
           update lane l set taken = l.taken - u.n
           from (select account_id, day, sum(n)::int as n from back group by 1, 2) u
           where l.account_id = u.account_id and l.taken_on = u.day)
         update run r set taken = r.taken - u.n from back u
         where r.account_id = u.account_id and r.campaign_id = u.campaign_id and r.taken_on = u.day",
    )
    .bind(keys.accounts)
    .bind(keys.campaigns)
    .bind(days)
    .execute(tx)
    .await
    .map_err(Error::during("give quota back"))?;
    Ok(())
}
