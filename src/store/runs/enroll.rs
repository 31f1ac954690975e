//! Enrollment: one statement enrolls all people who match a campaign, across all its accounts.

use chrono::TimeDelta;
use serde_json::Value;
use sqlx::PgConnection;

use super::first_match::busy;
use super::matcher::{BoundsRow, Lives, Matcher, Seeker, matching};
use crate::core::dispatch::lane::DayCount;
use crate::core::dispatch::program::{CampaignProgram, Program};
use crate::core::domain::{AccountId, CampaignId, NaiveDate, Timestamp, Zone};
use crate::core::lifecycle::enrollment::{Changes, Pass, Taken, after_pass, next_pass, room};
use crate::core::lifecycle::run::{Phase, Reason, may_act};
use crate::core::manifest::desired::Campaign;
use crate::core::manifest::desired::policy::Policies;
use crate::store::columns::{Batch, columns};
use crate::store::generation::in_force;
use crate::store::lock::try_lock_enrollment;
use crate::store::lock::{lock_lanes, try_share_imports, try_share_suppressions};
use crate::store::rows::{decode, zone};
use crate::store::schedule::wake::wake_lanes_at;
use crate::store::{Error, Store};

/// The result of one pass over a campaign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enrolled {
    pub runs: usize,
    pub people: u64,
}

/// A run whose pass is due.
struct DueRun {
    account: AccountId,
    zone: Zone,
    enrolled: DayCount,
    /// Passes that reached everybody.
    passes: i32,
    /// People ever enrolled, counted only if a limit needs it.
    ever: Option<u64>,
    /// True if enrollment is on for the account.
    enrolls: bool,
    today: NaiveDate,
}

impl Store {
    /// Returns the campaigns with a run whose enrollment pass is due at `now`.
    pub async fn campaigns_to_enroll(&self, now: Timestamp) -> Result<Vec<CampaignId>, Error> {
        let ids: Vec<i32> = sqlx::query_scalar(
            "select distinct campaign_id from run where enroll_at <= $1 and phase = 'active' order by 1",
        )
        .bind(now)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("look for runs to enroll"))?;
        Ok(ids.into_iter().map(CampaignId).collect())
    }

    /// Makes one enrollment pass over every due run of the campaign: newest registration first, never the same person
    /// twice, within `limits`. One transaction.
    pub async fn enroll(&self, program: &Program, id: CampaignId, now: Timestamp) -> Result<Enrolled, Error> {
        let Some(campaign) = program.campaign(id) else { return Ok(Enrolled::default()) };
        let spec = &campaign.spec;
        let mut tx = self.pool.begin().await.map_err(Error::during("begin an enrollment"))?;
        if !try_lock_enrollment(&mut tx, id).await?
            || !try_share_imports(&mut tx).await?
            || !try_share_suppressions(&mut tx).await?
        {
            return Ok(Enrolled::default());
        }
        let due = due_runs(&mut tx, id, campaign, &program.policies, now).await?;
        if due.is_empty() {
            return Ok(Enrolled::default());
        }
        let seekers: Vec<Seeker> = due.iter().map(|run| run.seeker(spec)).collect();
        let found = insert(&mut tx, id, campaign, &seekers, program.revision, now).await?;
        let young = youngest(&mut tx, spec, &seekers, now).await?;
        let lives = Lives::of(&mut tx, &campaign.name, id).await?;
        let busy = busy(&mut tx, &lives, spec, &seekers, now).await?;

        // The new targets are not visible yet. From here on no other transaction changes these accounts. If a run
        // stopped or a plan was applied meanwhile, the whole pass is rolled back and repeated.
        let accounts: Vec<AccountId> = due.iter().map(|run| run.account).collect();
        lock_lanes(&mut tx, &accounts).await?;
        if !all_active(&mut tx, id, &accounts).await? || !in_force(&mut tx, program).await? {
            return Ok(Enrolled::default());
        }
        let people_of = |account: AccountId| {
            found.binary_search_by_key(&account, |(account, ..)| *account).map_or(0, |i| found[i].1)
        };
        let passes = due.iter().map(|run| {
            let ripe = young.binary_search_by_key(&run.account, |(account, _)| *account).map(|i| young[i].1).ok();
            PassRow::of(run, spec, (people_of(run.account), busy.contains(&run.account)), ripe, now)
        });
        let saved = SAVE_PASSES.query(passes).bind(id.0).bind(now).execute(&mut *tx).await;
        saved.map_err(Error::during("save the enrollment passes"))?;
        wake_lanes_at(&mut tx, found.iter().map(|(account, _, due)| (*account, *due))).await?;
        tx.commit().await.map_err(Error::during("commit an enrollment"))?;
        Ok(Enrolled { runs: due.len(), people: found.iter().map(|(_, people, _)| people).sum() })
    }
}

impl DueRun {
    fn seeker(&self, spec: &Campaign) -> Seeker {
        let (enrolls, room) = (self.enrolls, room(spec, self.taken()));
        Seeker { account: self.account, zone: self.zone.clone(), enrolls, room, is_over: false }
    }

    fn taken(&self) -> Taken {
        Taken {
            passes: self.passes.unsigned_abs(),
            ever: self.ever.unwrap_or_default(),
            today: self.enrolled.of(self.today),
        }
    }
}

async fn due_runs(
    tx: &mut PgConnection,
    id: CampaignId,
    CampaignProgram { spec, .. }: &CampaignProgram,
    policies: &Policies,
    now: Timestamp,
) -> Result<Vec<DueRun>, Error> {
    type Row = (i32, String, String, Option<NaiveDate>, i32, i32, Option<i64>, String, Value);
    let rows: Vec<Row> = sqlx::query_as(
        "select r.account_id, r.reason, a.timezone, r.enrolled_on, r.enrolled, r.passes,
                case when $3 then (select count(*) from target t
                                   where t.account_id = r.account_id and t.campaign_id = r.campaign_id) end,
                a.external_id, a.attributes
         from run r join account a on a.id = r.account_id
         where r.campaign_id = $1 and r.enroll_at <= $2 and r.phase = 'active'
         order by r.account_id",
    )
    .bind(id.0)
    .bind(now)
    .bind(spec.limits.targets.is_some())
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the runs to enroll"))?;
    // Runs that a plan has stopped, but that were not advanced yet, are left out.
    let acts = |reason: &str| Reason::parse(reason).is_some_and(|reason| may_act(Phase::Active, reason, spec.state));
    rows.into_iter()
        .filter(|(_, reason, ..)| acts(reason))
        .map(|(account, _, timezone, on, count, passes, ever, name, labels)| {
            let zone = zone(&timezone)?;
            Ok(DueRun {
                account: AccountId(account),
                today: zone.date(now),
                zone,
                enrolled: DayCount { on, count: count.unsigned_abs() },
                passes,
                ever: ever.map(i64::unsigned_abs),
                enrolls: policies.of(&name, &labels).enrollment.is_on(),
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(decode("read the runs to enroll"))
}

/// Inserts the preceding selection. All people of a pass become due together; a microsecond per second of age
/// keeps the newest first.
macro_rules! insert_matched {
    () => {
        ", taken as (
           insert into target (account_id, campaign_id, referral_id, state, day, due_at, enrolled_at, revision_id)
           select account_id, $14, id, 'active', 1,
                  f.first_due + make_interval(secs => greatest(0, extract(epoch from $17 - registered_at)) / 1e6), $17, $20
           from matched join unnest($1::int[], $19::timestamptz[]) as f (account_id, first_due) using (account_id)
           where rank <= room
           returning account_id, due_at)
         select account_id, count(*), min(due_at) from taken group by account_id order by account_id"
    };
}

/// Enrolls the newest people, as many as there is room for.
const NEWEST: Batch<BoundsRow> = Batch::of(concat!(
    "with matched as (
       select r.account_id, r.id, r.registered_at, d.room,
              row_number() over (partition by r.account_id order by r.registered_at desc, r.id desc) as rank",
    matching!(),
    ")",
    insert_matched!()
));

/// Enrolls everybody, in index order.
const EVERYBODY: Batch<BoundsRow> = Batch::of(concat!(
    "with matched as (
       select r.account_id, r.id, r.registered_at, d.room, 1 as rank",
    matching!(),
    " order by r.account_id, r.id)",
    insert_matched!()
));

/// Enrolls matching people. Returns their number and the first due time by account.
async fn insert(
    tx: &mut PgConnection,
    id: CampaignId,
    campaign: &CampaignProgram,
    seekers: &[Seeker],
    revision: i32,
    now: Timestamp,
) -> Result<Vec<(AccountId, u64, Timestamp)>, Error> {
    // Order matters only if not everybody fits; otherwise rows are inserted in index order.
    let limited = seekers.iter().any(|seeker| seeker.room < u64::MAX);
    let statement = if limited { NEWEST } else { EVERYBODY };
    // Whole days are local days, so the instant depends on the zone of the account.
    let first_due: Vec<Timestamp> =
        seekers.iter().map(|seeker| campaign.cadence.first(now, campaign.zone(&seeker.zone))).collect();
    let lives = Lives::of(tx, &campaign.name, id).await?;
    let rows: Vec<(i32, i64, Timestamp)> = Matcher::new(&lives, &campaign.spec, seekers, now)
        .query(&statement)
        .bind(first_due)
        .bind(revision)
        .persistent(false)
        .fetch_all(tx)
        .await
        .map_err(Error::during("enroll"))?;
    Ok(rows.into_iter().map(|(account, people, due)| (AccountId(account), people.unsigned_abs(), due)).collect())
}

/// Returns, by account, the time at which the first of those who registered too recently can be enrolled.
pub(super) async fn youngest(
    tx: &mut PgConnection,
    spec: &Campaign,
    seekers: &[Seeker],
    now: Timestamp,
) -> Result<Vec<(AccountId, Timestamp)>, Error> {
    if spec.enroll_after.is_zero() {
        return Ok(Vec::new());
    }
    let wait = std::time::Duration::from(spec.enroll_after);
    let rows: Vec<(i32, Timestamp)> = sqlx::query_as(
        "select account_id, min(registered_at) from referral
         where account_id = any($1) and is_current and registered_at >= $2 group by account_id order by account_id",
    )
    .bind(seekers.iter().map(|s| s.account.0).collect::<Vec<_>>())
    .bind(now - wait)
    .fetch_all(tx)
    .await
    .map_err(Error::during("look for the next to enroll"))?;
    // Only a registration older than the limit qualifies: one microsecond more.
    let ripe = |registered: Timestamp| registered + wait + TimeDelta::microseconds(1);
    Ok(rows.into_iter().map(|(account, registered)| (AccountId(account), ripe(registered))).collect())
}

columns! {
    /// The result of a pass for a run; `complete` is 1 if the daily limit did not cut the pass short.
    struct PassRow {
        account_id: AccountId,
        found: i32,
        complete: i32,
        day: NaiveDate,
        enrolled: i32,
        enroll_at: Option<Timestamp>,
        busy: bool,
    }
}

const SAVE_PASSES: Batch<PassRow> = Batch::of(
    "update run r set passes = r.passes + p.complete, last_pass_found = p.found, enrolled_on = p.day,
                      enrolled = p.enrolled, enroll_at = p.enroll_at, busy = p.busy, check_at = $9
     from unnest($1::int[], $2::int[], $3::int[], $4::date[], $5::int[], $6::timestamptz[],
                 $7::boolean[])
          as p (account_id, found, complete, day, enrolled, enroll_at, busy)
     where r.account_id = p.account_id and r.campaign_id = $8",
);

impl PassRow {
    fn of(
        run: &DueRun,
        spec: &Campaign,
        (people, busy): (u64, bool),
        ripe_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let taken = run.taken();
        let Pass { cut_short, found, again } = after_pass(spec, run.enrolls, taken, people);
        let small = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
        Self {
            account_id: run.account,
            found: small(found),
            complete: i32::from(!cut_short),
            day: run.enrolled.on.map_or(run.today, |on| on.max(run.today)),
            enrolled: small(u64::from(taken.today) + people),
            enroll_at: next_pass(spec, again, Changes { now, midnight: run.zone.next_day(now), ripe_at }),
            busy,
        }
    }
}

async fn all_active(tx: &mut PgConnection, id: CampaignId, accounts: &[AccountId]) -> Result<bool, Error> {
    let stopped: Option<i32> = sqlx::query_scalar(
        "select account_id from run where campaign_id = $1 and account_id = any($2) and phase <> 'active' limit 1",
    )
    .bind(id.0)
    .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
    .fetch_optional(tx)
    .await
    .map_err(Error::during("check that runs are still active"))?;
    Ok(stopped.is_none())
}
