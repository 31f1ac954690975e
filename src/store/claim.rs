//! Claiming: what is due leaves its lane, in one transaction for many lanes.
//!
//! The row of a lane is the lock of its account: whoever changes runs or targets of an account holds it. So the
//! caps, the pace and "one message a day" of an account are decided by one transaction at a time, however many
//! processes send, and lanes that another process holds are skipped, not waited for.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;

use super::rows::{decode, strange, zone};
use super::{Error, Store};
use crate::domain::{
    AccountId, CampaignId, Country, Language, MessageKey, NaiveDate, Phone, ReferralId, TargetKey, Timestamp,
};
use crate::gate::{self, Consent};
use crate::lane::{self, Candidate, DayCount, Draw, Lane, LaneRun};
use crate::lifecycle::run::Phase;
use crate::pacing::Pace;
use crate::program::Program;

/// How much one claim takes.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// Lanes looked at.
    pub lanes: u32,
    /// Due people looked at in one run.
    pub people: u32,
    /// Messages after which no further lane is begun.
    pub messages: usize,
}

/// A message that is ours to hand over, and what is needed to settle it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub key: MessageKey,
    pub phone: Phone,
    pub text: String,
    /// Hand-overs of this message, this one included.
    pub attempts: u16,
    pub failed_days: u16,
    /// The last day of the sequence.
    pub last: bool,
    /// The local day whose quota it took.
    pub counts_on: NaiveDate,
}

/// What a claim brought.
#[derive(Debug, Default)]
pub struct Claim {
    /// Names the batch until every outcome is saved; `None` when there is nothing to hand over.
    pub lease: Option<i64>,
    pub messages: Vec<Claimed>,
    /// Lanes that were looked at: 0 means that nothing is due now.
    pub lanes: usize,
    /// The manifests have changed: nothing was claimed, the program must be loaded again.
    pub stale: bool,
}

impl Store {
    /// Claims due messages of up to `batch.lanes` lanes: the gate is asked for each person, quota is taken, the
    /// target moves on to its next day, and the attempt is durable, all in one transaction.
    ///
    /// Paid, consent and suppression are read in that transaction. A message that was claimed before and may have
    /// left is never claimed again.
    pub async fn claim(
        &self,
        program: &Program,
        batch: Batch,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Claim, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin a claim"))?;
        let lanes = claim_lanes(&mut tx, program, batch.lanes, now).await?;
        let Some(lanes) = lanes else { return Ok(Claim { stale: true, ..Claim::default() }) };
        if lanes.is_empty() {
            return Ok(Claim::default());
        }
        let runs = active_runs(&mut tx, &lanes).await?;
        let mut candidates = candidates(&mut tx, &lanes, &runs, program, batch, now).await?;
        let none = Vec::new();
        let draws: Vec<(&Lane, Draw)> = lanes
            .iter()
            .map(|lane| {
                let due = candidates.remove(&lane.account).unwrap_or_default();
                (lane, lane::draw(lane, runs.get(&lane.account).unwrap_or(&none), due, program, now))
            })
            .collect();
        let claim = super::claim_write::save(&mut tx, &draws, program.revision, now, lease_until).await?;
        tx.commit().await.map_err(Error::during("commit a claim"))?;
        Ok(claim)
    }
}

/// Locks the lanes of `accounts`, waiting for whoever holds them, always in the same order.
pub(super) async fn lock_lanes(tx: &mut PgConnection, accounts: &[AccountId]) -> Result<(), Error> {
    sqlx::query("select from lane where account_id = any($1) order by account_id for update")
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .execute(tx)
        .await
        .map_err(Error::during("lock the lanes"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LaneRow {
    account_id: i32,
    taken_on: Option<NaiveDate>,
    taken: i32,
    next_slot_at: Option<Timestamp>,
    wave: i32,
    wave_sent: i32,
    name: String,
    language: Option<String>,
    timezone: String,
    subscription_ends_at: Option<Timestamp>,
    whatsapp_status: Option<String>,
    generation: i64,
}

/// Locks lanes that are due for a look; `None` when `program` is not what is in force.
async fn claim_lanes(
    tx: &mut PgConnection,
    program: &Program,
    most: u32,
    now: Timestamp,
) -> Result<Option<Vec<Lane>>, Error> {
    let rows: Vec<LaneRow> = sqlx::query_as(
        "select l.account_id, l.taken_on, l.taken, l.next_slot_at, l.wave, l.wave_sent, a.name, a.language,
                a.timezone, a.subscription_ends_at, a.whatsapp_status, (select desired from generation) as generation
         from lane l join account a on a.id = l.account_id
         where l.wake_at <= $1 order by l.wake_at limit $2 for update of l skip locked",
    )
    .bind(now)
    .bind(i64::from(most))
    .fetch_all(tx)
    .await
    .map_err(Error::during("claim lanes"))?;
    if rows.iter().any(|row| row.generation != program.generation) {
        return Ok(None);
    }
    let lanes: Result<Vec<Lane>, sqlx::Error> = rows.into_iter().map(LaneRow::lane).collect();
    lanes.map(Some).map_err(decode("claim lanes"))
}

impl LaneRow {
    fn lane(self) -> Result<Lane, sqlx::Error> {
        let connected = self.whatsapp_status.as_deref().is_none_or(|status| status == "connected");
        Ok(Lane {
            account: AccountId(self.account_id),
            name: self.name,
            language: self.language.and_then(|tag| Language::parse(&tag).ok()),
            zone: zone(&self.timezone)?,
            facts: gate::Account { subscription_ends_at: self.subscription_ends_at, connected },
            taken: DayCount { on: self.taken_on, count: self.taken.unsigned_abs() },
            pace: Pace {
                next_slot_at: self.next_slot_at,
                wave: usize::try_from(self.wave).unwrap_or_default(),
                wave_sent: self.wave_sent.unsigned_abs(),
            },
        })
    }
}

type Runs = BTreeMap<AccountId, Vec<LaneRun>>;

async fn active_runs(tx: &mut PgConnection, lanes: &[Lane]) -> Result<Runs, Error> {
    let rows: Vec<(i32, i32, Option<NaiveDate>, i32)> = sqlx::query_as(
        "select account_id, campaign_id, taken_on, taken from run where account_id = any($1) and phase = 'active'",
    )
    .bind(lanes.iter().map(|lane| lane.account.0).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the runs of the lanes"))?;
    let mut runs = Runs::new();
    for (account, campaign, on, count) in rows {
        let taken = DayCount { on, count: count.unsigned_abs() };
        let run = LaneRun { campaign: CampaignId(campaign), phase: Phase::Active, taken };
        runs.entry(AccountId(account)).or_default().push(run);
    }
    Ok(runs)
}

#[derive(sqlx::FromRow)]
struct CandidateRow {
    account_id: i32,
    campaign_id: i32,
    referral_id: i64,
    day: i16,
    due_at: Timestamp,
    failed_days: i16,
    name: String,
    phone: String,
    language: Option<String>,
    country: String,
    profession: Option<String>,
    registered_at: Timestamp,
    attributes: Value,
    paid: bool,
    consent: Option<String>,
    suppressed: bool,
    last_written_on: Option<NaiveDate>,
}

/// Who is due in these lanes, as many of each run as the lane can take: by priority, then longest overdue first.
async fn candidates(
    tx: &mut PgConnection,
    lanes: &[Lane],
    runs: &Runs,
    program: &Program,
    batch: Batch,
    now: Timestamp,
) -> Result<BTreeMap<AccountId, Vec<Candidate>>, Error> {
    let (mut accounts, mut campaigns, mut most) = (Vec::new(), Vec::new(), Vec::new());
    let mut room = i64::try_from(batch.messages).unwrap_or(i64::MAX);
    let priority = |campaign| program.campaign(campaign).map_or(i32::MAX, |program| program.spec.priority);
    for lane in lanes {
        let mut first: Vec<&LaneRun> = runs.get(&lane.account).into_iter().flatten().collect();
        // The room of the batch is scarce too.
        first.sort_by_key(|run| (priority(run.campaign), run.campaign));
        for run in first {
            let appetite = i64::from(lane::appetite(lane, run, program, now, batch.people)).min(room);
            if appetite > 0 {
                accounts.push(lane.account.0);
                campaigns.push(run.campaign.0);
                most.push(appetite);
                room -= appetite;
            }
        }
    }
    let rows: Vec<CandidateRow> = sqlx::query_as(
        "select t.account_id, t.campaign_id, t.referral_id, t.day, t.due_at, t.failed_days, r.name, r.phone, r.language,
                r.country, r.profession, r.registered_at, r.attributes, r.paid_at is not null as paid, r.consent,
                exists (select from suppression s where s.phone = r.phone) as suppressed,
                (select max(m.counts_on) from message m
                 where m.account_id = t.account_id and m.referral_id = t.referral_id) as last_written_on
         from unnest($1::int[], $2::int[], $3::bigint[]) as q (account_id, campaign_id, most)
         cross join lateral (
            select * from target t
            where t.account_id = q.account_id and t.campaign_id = q.campaign_id and t.state = 'active' and t.due_at <= $4
            order by t.due_at limit q.most) t
         join referral r on r.account_id = t.account_id and r.id = t.referral_id",
    )
    .bind(accounts)
    .bind(campaigns)
    .bind(most)
    .bind(now)
    .fetch_all(tx)
    .await
    .map_err(Error::during("read who is due"))?;
    let mut due: BTreeMap<AccountId, Vec<Candidate>> = BTreeMap::new();
    for row in rows {
        let account = AccountId(row.account_id);
        due.entry(account).or_default().push(row.candidate().map_err(decode("read who is due"))?);
    }
    for candidates in due.values_mut() {
        candidates.sort_by_key(|c| (priority(c.campaign), c.due_at, c.campaign, c.referral));
    }
    Ok(due)
}

impl CandidateRow {
    fn candidate(self) -> Result<Candidate, sqlx::Error> {
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let attributes = match self.attributes {
            Value::Object(map) => map.into_iter().map(|(key, value)| (key, text(value))).collect(),
            _ => BTreeMap::new(),
        };
        let consent = match self.consent.as_deref() {
            None => None,
            Some(consent) => Some(Consent::parse(consent).ok_or_else(|| strange("a consent", consent))?),
        };
        Ok(Candidate {
            campaign: CampaignId(self.campaign_id),
            referral: ReferralId(self.referral_id),
            day: self.day.unsigned_abs(),
            due_at: self.due_at,
            failed_days: self.failed_days.unsigned_abs(),
            name: self.name,
            phone: Phone::trusted(self.phone),
            language: self.language.and_then(|tag| Language::parse(&tag).ok()),
            country: Country::parse(&self.country).map_err(|_| strange("a country", &self.country))?,
            profession: self.profession.unwrap_or_default(),
            registered_at: self.registered_at,
            attributes,
            paid: self.paid,
            consent,
            suppressed: self.suppressed,
            last_written_on: self.last_written_on,
        })
    }
}

/// The parts of target keys as columns.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) accounts: Vec<i32>,
    pub(super) campaigns: Vec<i32>,
    pub(super) referrals: Vec<i64>,
}

impl Keys {
    pub(super) fn push(&mut self, key: TargetKey) {
        self.accounts.push(key.account.0);
        self.campaigns.push(key.campaign.0);
        self.referrals.push(key.referral.0);
    }
}

impl FromIterator<TargetKey> for Keys {
    fn from_iter<I: IntoIterator<Item = TargetKey>>(keys: I) -> Self {
        let mut all = Self::default();
        keys.into_iter().for_each(|key| all.push(key));
        all
    }
}
