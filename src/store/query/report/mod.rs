//! Counts since an instant over whole sets of people, runs and messages, for reports on a period.

mod people;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub use self::people::Unreached;
use crate::core::dispatch::gate;
use crate::core::dispatch::lane::DayCount;
use crate::core::domain::{AccountId, CampaignId, NaiveDate, Timestamp, Zone};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::run::Phase;
use crate::core::lifecycle::target::Exit;
use crate::core::manifest::desired::policy::{AccountPolicy, Policies};
use crate::store::rows::{decode, strange, zone};
use crate::store::{Error, Store};

/// The facts of an account that a report needs.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountFacts {
    pub id: AccountId,
    pub external_id: String,
    pub name: String,
    pub zone: Zone,
    pub facts: gate::Account,
    pub policy: Arc<AccountPolicy>,
}

impl AccountFacts {
    /// Returns true if messages could leave for the account at `now`, apart from the time of day and quotas.
    pub fn can_send(&self, now: Timestamp) -> bool {
        self.policy.sending.is_on() && self.facts.unable(now).is_none()
    }
}

/// The messages of one run on one local day of its account. The day is `None` for messages that did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayTotals {
    pub account: AccountId,
    pub campaign: CampaignId,
    pub day: Option<NaiveDate>,
    /// Messages that certainly left since the instant.
    pub sent: u64,
    /// Messages that took quota of that day, before or after the instant.
    pub taken: u64,
    /// Messages that were begun since the instant and failed.
    pub failed: u64,
    /// Messages that were begun since the instant and whose outcome is unknown.
    pub uncertain: u64,
}

/// A run with the counts of its people.
#[derive(Debug, Clone, PartialEq)]
pub struct RunTotals {
    pub account: AccountId,
    pub campaign: CampaignId,
    pub phase: Phase,
    pub reason: String,
    pub detail: Detail,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Targets enrolled since the instant.
    pub enrolled: u64,
    pub active: u64,
    pub next_due_at: Option<Timestamp>,
}

/// The number of targets of a campaign that ended in one way since the instant; `None` means they got every day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndTotals {
    pub campaign: CampaignId,
    pub account: AccountId,
    pub exit: Option<Exit>,
    pub people: u64,
}

/// The number of people who were in two campaigns of one account at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    pub campaigns: [CampaignId; 2],
    pub people: u64,
    /// Messages of either campaign that left on a later day than they were due because the other had sent.
    pub put_off: u64,
}

/// A lane whose daily quota is used up while people of these campaigns wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullLane {
    pub account: AccountId,
    pub day: NaiveDate,
    pub waiting: Vec<CampaignId>,
}

impl Store {
    /// Returns all accounts, ordered by id.
    pub async fn account_facts(&self, policies: &Policies) -> Result<Vec<AccountFacts>, Error> {
        const OPERATION: &str = "read the accounts of a report";
        type Row = (i32, String, String, String, Option<Timestamp>, Option<String>, Value);
        let rows: Vec<Row> = sqlx::query_as(
            "select id, external_id, name, timezone, subscription_ends_at, whatsapp_status, attributes
             from account order by id",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        let account = |(id, external_id, name, timezone, subscription_ends_at, status, labels): Row| {
            let connected = status.is_none_or(|status| status == "connected");
            let facts = gate::Account::new(subscription_ends_at, connected);
            let policy = policies.of(&external_id, &labels);
            Ok(AccountFacts { id: AccountId(id), external_id, name, zone: zone(&timezone)?, facts, policy })
        };
        rows.into_iter().map(account).collect::<Result<_, sqlx::Error>>().map_err(decode(OPERATION))
    }

    /// Returns the names of all campaigns that ever ran.
    pub async fn campaign_numbers(&self) -> Result<BTreeMap<CampaignId, String>, Error> {
        let rows: Vec<(i32, String)> = sqlx::query_as("select id, name from campaign")
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("read the campaigns of a report"))?;
        Ok(rows.into_iter().map(|(id, name)| (CampaignId(id), name)).collect())
    }

    /// Returns the numbers of registrations and of payments later than `from`.
    pub async fn facts_after(&self, from: Timestamp) -> Result<(u64, u64), Error> {
        let (registrations, payments): (i64, i64) = sqlx::query_as(
            "select count(*) filter (where registered_at > $1), count(*) filter (where paid_at > $1) from referral",
        )
        .bind(from)
        .fetch_one(&self.pool)
        .await
        .map_err(Error::during("look for later facts"))?;
        Ok((registrations.unsigned_abs(), payments.unsigned_abs()))
    }

    /// Returns the daily counts of messages since `from`, and of earlier ones on a local day that may contain `from`.
    pub async fn tally_days(&self, from: Timestamp) -> Result<Vec<DayTotals>, Error> {
        type Row = (i32, i32, Option<NaiveDate>, i64, i64, i64, i64);
        let rows: Vec<Row> = sqlx::query_as(
            "select account_id, campaign_id, quota_date,
                    count(*) filter (where state in ('sent', 'delivered', 'read') and sent_at >= $1),
                    count(quota_date), count(*) filter (where state = 'failed' and queued_at >= $1),
                    count(*) filter (where state = 'uncertain' and queued_at >= $1)
             from message where queued_at >= $1 or sent_at >= $1 or quota_date >= $2
             group by 1, 2, 3 order by 1, 2, 3",
        )
        .bind(from)
        .bind((from - chrono::TimeDelta::days(1)).date_naive())
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("count the messages of a report"))?;
        let tally = |(account, campaign, day, sent, taken, failed, uncertain): Row| DayTotals {
            account: AccountId(account),
            campaign: CampaignId(campaign),
            day,
            sent: sent.unsigned_abs(),
            taken: taken.unsigned_abs(),
            failed: failed.unsigned_abs(),
            uncertain: uncertain.unsigned_abs(),
        };
        Ok(rows.into_iter().map(tally).collect())
    }

    /// Returns the runs that were unfinished at `from`, by account and campaign.
    pub async fn tally_runs(&self, from: Timestamp) -> Result<Vec<RunTotals>, Error> {
        const OPERATION: &str = "count the runs of a report";
        #[derive(sqlx::FromRow)]
        struct Row {
            account_id: i32,
            campaign_id: i32,
            phase: String,
            reason: String,
            #[sqlx(json)]
            detail: Detail,
            started_at: Option<Timestamp>,
            finished_at: Option<Timestamp>,
            enrolled: i64,
            active: i64,
            next_due_at: Option<Timestamp>,
        }
        let rows: Vec<Row> = sqlx::query_as(
            "select r.account_id, r.campaign_id, r.phase, r.reason, r.detail, r.started_at, r.finished_at,
                    coalesce(t.enrolled, 0) as enrolled, coalesce(t.active, 0) as active, t.next_due_at
             from run r left join (
               select account_id, campaign_id, count(*) filter (where enrolled_at >= $1) as enrolled,
                      count(*) filter (where state = 'active') as active, min(due_at) as next_due_at
               from target group by 1, 2) t using (account_id, campaign_id)
             where r.finished_at is null or r.finished_at >= $1 order by 1, 2",
        )
        .bind(from)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        let tally = |row: Row| {
            Ok(RunTotals {
                account: AccountId(row.account_id),
                campaign: CampaignId(row.campaign_id),
                phase: Phase::parse(&row.phase).ok_or_else(|| strange("a phase", &row.phase))?,
                reason: row.reason,
                detail: row.detail,
                started_at: row.started_at,
                finished_at: row.finished_at,
                enrolled: row.enrolled.unsigned_abs(),
                active: row.active.unsigned_abs(),
                next_due_at: row.next_due_at,
            })
        };
        rows.into_iter().map(tally).collect::<Result<_, sqlx::Error>>().map_err(decode(OPERATION))
    }

    /// Returns the counts of targets that ended since `from`.
    pub async fn tally_ends(&self, from: Timestamp) -> Result<Vec<EndTotals>, Error> {
        const OPERATION: &str = "count the targets of a report by exit reason";
        let rows: Vec<(i32, i32, Option<String>, i64)> = sqlx::query_as(
            "select campaign_id, account_id, exit_reason, count(*) from target where ended_at >= $1
             group by 1, 2, 3 order by 1, 2, 3",
        )
        .bind(from)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        let tally = |(campaign, account, exit, people): (i32, i32, Option<String>, i64)| {
            let exit = exit.map(|text| Exit::parse(&text).ok_or_else(|| strange("an exit reason", &text)));
            Ok(EndTotals {
                campaign: CampaignId(campaign),
                account: AccountId(account),
                exit: exit.transpose()?,
                people: people.unsigned_abs(),
            })
        };
        rows.into_iter().map(tally).collect::<Result<_, sqlx::Error>>().map_err(decode(OPERATION))
    }

    /// Returns the pairs of campaigns that had the same people at the same time, at `from` or later.
    ///
    /// A person who is due twice on one day becomes due again when the next day begins. In every time zone that is a
    /// full quarter of an hour. This tells postponed messages from those that were due then anyway, apart from rare
    /// coincidences.
    pub async fn overlaps(&self, from: Timestamp) -> Result<Vec<Overlap>, Error> {
        let rows: Vec<(i32, i32, i64, i64)> = sqlx::query_as(include_str!("report_overlaps.sql"))
            .bind(from)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("count people in two campaigns"))?;
        let overlap = |(one, other, people, put_off): (i32, i32, i64, i64)| Overlap {
            campaigns: [CampaignId(one), CampaignId(other)],
            people: people.unsigned_abs(),
            put_off: put_off.unsigned_abs(),
        };
        Ok(rows.into_iter().map(overlap).collect())
    }

    /// Returns the lanes that reached their account's daily cap on its current local day, with the active runs in which
    /// people still wait.
    pub async fn full_lanes(&self, policies: &Policies, now: Timestamp) -> Result<Vec<FullLane>, Error> {
        const OPERATION: &str = "look for accounts at their cap";
        type Row = (i32, String, String, Value, Option<NaiveDate>, i32, Vec<i32>);
        let Some(lowest) = policies.lowest_cap() else { return Ok(Vec::new()) };
        let rows: Vec<Row> = sqlx::query_as(
            "select l.account_id, a.timezone, a.external_id, a.attributes, l.taken_on, l.taken, array_agg(r.campaign_id order by r.campaign_id)
             from lane l join account a on a.id = l.account_id
             join run r on r.account_id = l.account_id and r.phase = 'active'
             where l.taken >= $1 and exists (
               select from target t where t.account_id = r.account_id and t.campaign_id = r.campaign_id
                                      and t.state = 'active' and t.due_at <= $2)
             group by 1, 2, 3, 4, 5, 6 order by 1",
        )
        .bind(i32::try_from(lowest).unwrap_or(i32::MAX))
        .bind(now)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        let mut full = Vec::new();
        for (account, timezone, name, labels, on, count, waiting) in rows {
            let day = zone(&timezone).map_err(decode(OPERATION))?.date(now);
            let taken = DayCount { on, count: count.unsigned_abs() }.of(day);
            if policies.of(&name, &labels).messages_per_day.is_some_and(|cap| taken >= cap) {
                let waiting = waiting.into_iter().map(CampaignId).collect();
                full.push(FullLane { account: AccountId(account), day, waiting });
            }
        }
        Ok(full)
    }
}
