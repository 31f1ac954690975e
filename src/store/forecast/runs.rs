//! The current state of accounts and their runs.

use std::collections::HashMap;

use crate::core::dispatch::lane::{DayCount, Lane};
use crate::core::domain::{AccountId, CampaignId, NaiveDate, Timestamp};
use crate::core::lifecycle::enrollment::Taken;
use crate::core::lifecycle::overrides::{Orders, Overrides};
use crate::core::lifecycle::run::{Phase, Reason};
use crate::core::manifest::desired::policy::Policies;
use crate::core::plan::forecast::Run;
use crate::store::rows::{decode, strange};
use crate::store::runs::override_rows::overrides_of;
use crate::store::send::lane_rows::{LaneRow, lane_columns};
use crate::store::{Error, Store};

/// The current state of an account.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) lane: Lane,
    pub(super) name: String,
    pub(super) labels: serde_json::Value,
}

/// The runs of accounts, with the overrides that apply to them.
pub(super) struct Runs {
    rows: HashMap<(AccountId, CampaignId), RunRow>,
    overrides: Overrides,
}

impl Runs {
    pub(super) fn get(&self, account: AccountId, campaign: CampaignId) -> Option<&RunRow> {
        self.rows.get(&(account, campaign))
    }

    pub(super) fn orders(&self, account: AccountId, campaign: CampaignId) -> Orders<'_> {
        self.overrides.about(account, campaign)
    }
}

/// The stored state of a run.
#[derive(sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "columns of a query")]
pub(super) struct RunRow {
    account_id: i32,
    campaign_id: i32,
    phase: String,
    reason: String,
    started: bool,
    pub(super) finished: bool,
    faulty: bool,
    taken_on: Option<NaiveDate>,
    taken: i32,
    passes: i32,
    last_pass_found: Option<i32>,
    busy: bool,
    enrolled_on: Option<NaiveDate>,
    enrolled: i32,
    enroll_at: Option<Timestamp>,
    check_at: Option<Timestamp>,
    ever: i64,
}

impl RunRow {
    /// Returns `new` with the run's stored state. If `touched` by the plan, the run is enrolled again at `now`.
    pub(super) fn run<'a>(&self, new: Run<'a>, touched: bool, today: NaiveDate, now: Timestamp) -> Run<'a> {
        let count = |on, count: i32| DayCount { on, count: count.unsigned_abs() }.of(today);
        Run {
            phase: Phase::parse(&self.phase).unwrap_or(Phase::Draft),
            started: self.started,
            faulty: self.faulty && !touched && self.reason == Reason::TemplateError.as_str(),
            sent: count(self.taken_on, self.taken),
            taken: Taken {
                passes: self.passes.unsigned_abs(),
                ever: self.ever.unsigned_abs(),
                today: count(self.enrolled_on, self.enrolled),
            },
            last_pass_found: self.last_pass_found.unwrap_or_default().unsigned_abs(),
            busy: self.busy,
            look_at: self.check_at.filter(|_| !touched),
            enroll_at: if touched { Some(now) } else { self.enroll_at },
            ..new
        }
    }
}

impl Store {
    /// Returns the current state of accounts under `policies`.
    pub(super) async fn members(&self, accounts: &[AccountId], policies: &Policies) -> Result<Vec<Member>, Error> {
        const OPERATION: &str = "read accounts for a forecast";
        // An account that no daemon has processed yet has no lane.
        let rows: Vec<LaneRow> = sqlx::query_as(concat!(
            "select ",
            lane_columns!(),
            " from account a
             left join lane on lane.account_id = a.id
             cross join lateral (
               select a.id as account_id, lane.wake_at, lane.taken_on, coalesce(lane.taken, 0) as taken,
                      lane.next_slot_at, coalesce(lane.wave, 0) as wave, coalesce(lane.wave_sent, 0) as wave_sent,
                      lane.tally_since, lane.tally_before_since, coalesce(lane.handed, 0) as handed,
                      coalesce(lane.failed, 0) as failed,
                      coalesce(lane.handed_before, 0) as handed_before, coalesce(lane.failed_before, 0) as failed_before,
                      coalesce(lane.opted_out, 0) as opted_out, coalesce(lane.opted_out_before, 0) as opted_out_before,
                      lane.throttled_until) l
             where a.id = any($1) order by a.id"
        ))
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        let member = |row: LaneRow| {
            let (name, labels) = (row.external_id.clone(), row.labels.clone());
            let mut lane = row.lane(policies)?;
            // Restrictions of an account are short compared with a forecast, which ignores them.
            (lane.facts.halt, lane.facts.throttled_until, lane.halted_channels) = (None, None, Vec::new());
            Ok(Member { lane, name, labels })
        };
        rows.into_iter().map(member).collect::<Result<_, sqlx::Error>>().map_err(decode(OPERATION))
    }

    pub(super) async fn runs_of(&self, accounts: &[AccountId]) -> Result<Runs, Error> {
        const OPERATION: &str = "read runs for a forecast";
        let accounts: Vec<i32> = accounts.iter().map(|account| account.0).collect();
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        let overrides = overrides_of(&mut db, &accounts).await?;
        let rows: Vec<RunRow> = sqlx::query_as(
            "select r.account_id, r.campaign_id, r.phase, r.reason, r.started_at is not null as started,
                    r.finished_at is not null as finished, coalesce(r.fault_revision_id = r.revision_id, false) as faulty,
                    r.taken_on, r.taken, r.passes, r.last_pass_found, r.busy, r.enrolled_on, r.enrolled,
                    r.enroll_at, r.check_at,
                    (select count(*) from target t
                     where t.account_id = r.account_id and t.campaign_id = r.campaign_id and r.finished_at is null) as ever
             from run r where r.account_id = any($1)",
        )
        .bind(accounts)
        .fetch_all(&mut *db)
        .await
        .map_err(Error::during(OPERATION))?;
        if let Some(row) = rows.iter().find(|row| Phase::parse(&row.phase).is_none()) {
            return Err(decode(OPERATION)(strange("a phase", &row.phase)));
        }
        let key = |row: &RunRow| (AccountId(row.account_id), CampaignId(row.campaign_id));
        Ok(Runs { rows: rows.into_iter().map(|row| (key(&row), row)).collect(), overrides })
    }
}
