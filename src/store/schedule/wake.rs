//! Wake-ups of lanes and runs. The caller holds the lanes.

use sqlx::PgConnection;

use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, TargetKey, Timestamp};
use crate::core::lifecycle::overrides::Scope;
use crate::store::columns::{Batch, columns};
use crate::store::{Error, Store};

/// Wakes the lanes and runs of accounts after their facts changed: they enroll, advance and send.
///
/// Runs are locked in key order, last of all and just before the commit.
pub(in crate::store) async fn wake(tx: &mut PgConnection, accounts: &[i32], now: Timestamp) -> Result<(), Error> {
    if accounts.is_empty() {
        return Ok(());
    }
    for (sql, operation) in [
        ("update lane set wake_at = least(wake_at, $2) where account_id = any($1)", "wake the lanes"),
        (
            "with due as (
                 select account_id, campaign_id from run
                 where account_id = any($1) and phase not in ('completed', 'cancelled')
                 order by account_id, campaign_id for no key update
             )
             update run set enroll_at = least(enroll_at, $2), check_at = least(check_at, $2), foreseen_at = null,
                 ahead_at = case when ahead_at is not null then $2 end
             from due where run.account_id = due.account_id and run.campaign_id = due.campaign_id",
            "wake the runs",
        ),
    ] {
        sqlx::query(sql).bind(accounts).bind(now).execute(&mut *tx).await.map_err(Error::during(operation))?;
    }
    sqlx::query("update facts_generation set facts = facts + 1")
        .execute(tx)
        .await
        .map_err(Error::during("count the generation of facts"))?;
    Ok(())
}

/// Wakes the lanes of `accounts` at `now`.
pub(in crate::store) async fn wake_lanes(
    tx: &mut PgConnection,
    accounts: &[AccountId],
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update lane set wake_at = $2 where account_id = any($1)")
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .bind(now)
        .execute(tx)
        .await
        .map_err(Error::during("wake the lanes"))?;
    Ok(())
}

/// Wakes those lanes of `accounts` at `now` that are due later. A lane without a due time stays asleep.
pub(in crate::store) async fn wake_sleeping_lanes(
    tx: &mut PgConnection,
    accounts: &[AccountId],
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update lane set wake_at = $2 where account_id = any($1) and wake_at > $2")
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .bind(now)
        .execute(tx)
        .await
        .map_err(Error::during("wake the lanes of a channel"))?;
    Ok(())
}

/// Wakes each of these lanes at its instant, unless it is due earlier.
pub(in crate::store) async fn wake_lanes_at(
    tx: &mut PgConnection,
    due: impl Iterator<Item = (AccountId, Timestamp)>,
) -> Result<(), Error> {
    let (accounts, due_at): (Vec<i32>, Vec<Timestamp>) = due.map(|(account, at)| (account.0, at)).unzip();
    sqlx::query(
        "update lane l set wake_at = least(l.wake_at, f.due_at)
         from unnest($1::int[], $2::timestamptz[]) as f (account_id, due_at)
         where l.account_id = f.account_id and (l.wake_at is null or f.due_at < l.wake_at)",
    )
    .bind(accounts)
    .bind(due_at)
    .execute(tx)
    .await
    .map_err(Error::during("wake the lanes"))?;
    Ok(())
}

columns! {
    /// A target that changed, and whether its quota was returned.
    pub(in crate::store) struct Changed {
        account_id: AccountId,
        campaign_id: CampaignId,
        at: Timestamp,
        gave_back: bool,
    }
}

impl Changed {
    pub(in crate::store) fn of(key: TargetKey, at: Timestamp, gave_back: bool) -> Self {
        Self { account_id: key.account, campaign_id: key.campaign, at, gave_back }
    }
}

const LOOK_AGAIN: Batch<Changed> = Batch::of(include_str!("wake_look_again.sql"));

/// Schedules a look at lanes that may send more, and at runs without active targets.
pub(in crate::store) async fn look_again(tx: &mut PgConnection, changed: Vec<Changed>) -> Result<(), Error> {
    let scheduled = LOOK_AGAIN.query(changed).execute(tx).await;
    scheduled.map(drop).map_err(Error::during("schedule a check of runs"))
}

/// Schedules a check of the unfinished runs of `campaigns` at `now`.
pub(in crate::store) async fn check_runs(
    tx: &mut PgConnection,
    campaigns: &[i32],
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update run set check_at = $2 where campaign_id = any($1) and finished_at is null")
        .bind(campaigns)
        .bind(now)
        .execute(tx)
        .await
        .map_err(Error::during("schedule a check of queues"))?;
    Ok(())
}

impl Store {
    /// Schedules a check of the active runs of campaigns that `program` freezes, which then pause.
    pub async fn check_frozen(&self, program: &Program, now: Timestamp) -> Result<(), Error> {
        if program.frozen.is_empty() {
            return Ok(());
        }
        sqlx::query("update run set check_at = least(check_at, $2) where campaign_id = any($1) and phase = 'active'")
            .bind(program.frozen.keys().map(|id| id.0).collect::<Vec<_>>())
            .bind(now)
            .execute(&self.pool)
            .await
            .map_err(Error::during("schedule a check of frozen runs"))?;
        Ok(())
    }
}

/// Schedules a check of the unfinished runs of `scope` at `now`.
pub(in crate::store) async fn check_scope(tx: &mut PgConnection, scope: Scope, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "update run set check_at = $3
         where ($1::int is null or account_id = $1) and ($2::int is null or campaign_id = $2) and finished_at is null",
    )
    .bind(scope.account().map(|account| account.0))
    .bind(scope.campaign().map(|campaign| campaign.0))
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("schedule a check of runs"))?;
    Ok(())
}

/// Schedules a check of these unfinished runs at `now`, unless they are due earlier. Returns true if there are any.
pub(in crate::store) async fn check_each(
    tx: &mut PgConnection,
    runs: impl Iterator<Item = (AccountId, CampaignId)>,
    now: Timestamp,
) -> Result<bool, Error> {
    let (accounts, campaigns): (Vec<i32>, Vec<i32>) = runs.map(|(account, campaign)| (account.0, campaign.0)).unzip();
    let touched = sqlx::query(
        "update run r set check_at = least(r.check_at, $3)
         from unnest($1::int[], $2::int[]) as u (account_id, campaign_id)
         where (r.account_id, r.campaign_id) = (u.account_id, u.campaign_id) and r.finished_at is null",
    )
    .bind(accounts)
    .bind(campaigns)
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("schedule a check of related runs"))?;
    Ok(touched.rows_affected() > 0)
}

/// Clears cached forecasts of sibling runs after a phase change.
pub(in crate::store) async fn forget_foreseen(
    tx: &mut PgConnection,
    changed: impl Iterator<Item = (AccountId, CampaignId)>,
    now: Timestamp,
) -> Result<(), Error> {
    let (accounts, campaigns): (Vec<i32>, Vec<i32>) =
        changed.map(|(account, campaign)| (account.0, campaign.0)).unzip();
    if accounts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update run r set foreseen_at = null, check_at = least(r.check_at, $3)
         where r.account_id = any($1) and r.reason = 'outlives-subscription' and not exists (
           select from unnest($1::int[], $2::int[]) as u (account_id, campaign_id)
           where (r.account_id, r.campaign_id) = (u.account_id, u.campaign_id))",
    )
    .bind(accounts)
    .bind(campaigns)
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("ask for new forecasts of refused runs"))?;
    Ok(())
}

/// Runs that a provider restriction may concern: those of campaigns and of accounts, or all.
#[derive(Debug)]
pub(in crate::store) struct ConcernedRuns {
    pub(in crate::store) all: bool,
    pub(in crate::store) campaigns: Vec<i32>,
    pub(in crate::store) accounts: Vec<i32>,
}

/// Schedules a check, at `now` or earlier, of runs that a restriction may pause or a lifted one may resume.
pub(in crate::store) async fn check_concerned(
    tx: &mut PgConnection,
    runs: ConcernedRuns,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update run set check_at = least(check_at, $4)
         where ($1 or campaign_id = any($2) or account_id = any($3)) and finished_at is null
           and (phase = 'active' or (phase = 'paused' and reason in ('template-error', 'channel-unhealthy')))",
    )
    .bind(runs.all)
    .bind(runs.campaigns)
    .bind(runs.accounts)
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("schedule a check of runs under a restriction"))?;
    Ok(())
}

/// Schedules a check, at `now` or earlier, of all runs that wait for a provider. Returns their number.
pub(in crate::store) async fn wake_waiting(tx: &mut PgConnection, now: Timestamp) -> Result<u64, Error> {
    let woken = sqlx::query(
        "update run set check_at = least(check_at, $1) where finished_at is null and phase = 'paused'
           and reason in ('template-error', 'channel-unhealthy')",
    )
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("schedule a check of runs that wait for a provider"))?;
    Ok(woken.rows_affected())
}
