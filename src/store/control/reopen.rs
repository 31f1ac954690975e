//! Reopening: an operator lets completed runs enroll again. People who were in them stay out.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::overrides::{Group, groups};
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::overrides::Scope;
use crate::core::lifecycle::run::{Phase, Status, reopened};
use crate::core::manifest::desired::{Campaign, DesiredState};
use crate::store::event::{Event, tell};
use crate::store::generation::in_force;
use crate::store::lock::{lock_lanes, share_overrides};
use crate::store::rows::{decode, zone};
use crate::store::runs::advance::look_at;
use crate::store::runs::scene::Scene;
use crate::store::{Error, Store};

/// The batch limit in accounts whose runs are advanced together.
const BATCH: usize = 2_000;

/// The result of reopening a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reopened {
    Done(Opened),
    /// Nothing can be reopened, for this reason.
    Refused(&'static str),
    /// The program is no longer in force: the caller reloads it and retries.
    Outdated,
}

/// The runs that were opened again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Opened {
    pub runs: usize,
    /// The present phases of the campaign's runs, except those that had ended before.
    pub phases: Vec<Group>,
}

impl Store {
    /// Opens the enrollment of the completed runs of `campaign` again, of one account or of all, and moves them as runs
    /// that have not begun. One transaction.
    pub async fn reopen(
        &self,
        program: &Program,
        (campaign, account): (CampaignId, Option<AccountId>),
        (actor, reason): (&str, &str),
        now: Timestamp,
    ) -> Result<Reopened, Error> {
        let scene = Scene::of(program);
        let Some(spec) = scene.specs.get(&campaign).copied() else {
            return Ok(Reopened::Refused("its stored manifest cannot be used"));
        };
        if spec.state == DesiredState::Cancelled {
            return Ok(Reopened::Refused("its manifest cancels it"));
        }
        let by = Detail::Reopened { actor: actor.to_owned(), reason: reason.to_owned() };
        let Some(status) = reopened(Phase::Completed, by) else {
            return Ok(Reopened::Refused("completed runs stay closed"));
        };
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to reopen a campaign"))?;
        share_overrides(&mut tx).await?;
        let completed = completed(&mut tx, campaign, account).await?;
        if completed.is_empty() {
            return Ok(Reopened::Refused("no run of it is completed"));
        }
        let accounts = still_open(completed, spec, now)?;
        if accounts.is_empty() {
            return Ok(Reopened::Refused("its `endAt` has passed: move it first"));
        }
        lock_lanes(&mut tx, &accounts).await?;
        if !in_force(&mut tx, program).await? {
            return Ok(Reopened::Outdated);
        }
        let opened = open(&mut tx, campaign, &accounts, (&status, program.revision), now).await?;
        let event = |account: &AccountId| Event {
            account: Some(*account),
            campaign: Some(campaign),
            before: Some(Phase::Completed.as_str().to_owned()),
            after: Some(status.phase.as_str().to_owned()),
            reason: Some(status.reason.as_str().to_owned()),
            revision: Some(program.revision),
            ..Event::new(EventKind::RunPhase, Some(actor), status.detail.clone())
        };
        tell(&mut tx, &opened.iter().map(event).collect::<Vec<_>>(), now).await?;
        for accounts in opened.chunks(BATCH) {
            let accounts: Vec<i32> = accounts.iter().map(|account| account.0).collect();
            look_at(&mut tx, &accounts, &scene, None, now).await?;
        }
        let scope = account.map_or(Scope::Campaign(campaign), |account| Scope::Run(account, campaign));
        let phases = groups(&mut tx, scope, now).await?;
        tx.commit().await.map_err(Error::during("commit a reopened campaign"))?;
        Ok(Reopened::Done(Opened { runs: opened.len(), phases }))
    }
}

/// Returns the accounts whose run of the campaign is completed, with their zones.
async fn completed(
    tx: &mut PgConnection,
    campaign: CampaignId,
    account: Option<AccountId>,
) -> Result<Vec<(i32, String)>, Error> {
    sqlx::query_as(
        "select r.account_id, a.timezone from run r join account a on a.id = r.account_id
         where r.campaign_id = $1 and ($2::int is null or r.account_id = $2) and r.phase = 'completed'
         order by r.account_id",
    )
    .bind(campaign.0)
    .bind(account.map(|account| account.0))
    .fetch_all(tx)
    .await
    .map_err(Error::during("look for completed runs"))
}

/// Returns the accounts for which the campaign's `endAt` has not passed.
fn still_open(accounts: Vec<(i32, String)>, spec: &Campaign, now: Timestamp) -> Result<Vec<AccountId>, Error> {
    let mut open = Vec::new();
    for (account, timezone) in accounts {
        let zone = match &spec.schedule.timezone {
            Some(zone) => zone.clone(),
            None => zone(&timezone).map_err(decode("read the zones of accounts"))?,
        };
        if spec.schedule.end_at.is_none_or(|end| end.at(&zone) > now) {
            open.push(AccountId(account));
        }
    }
    Ok(open)
}

/// Resets the runs, so that they are moved as runs that have not begun. Their lanes are locked. Returns their accounts.
async fn open(
    tx: &mut PgConnection,
    campaign: CampaignId,
    accounts: &[AccountId],
    (status, revision): (&Status, i32),
    now: Timestamp,
) -> Result<Vec<AccountId>, Error> {
    let rows: Vec<i32> = sqlx::query_scalar(include_str!("reopen.sql"))
        .bind(campaign.0)
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .bind(status.phase.as_str())
        .bind(status.reason.as_str())
        .bind(Json(&status.detail))
        .bind(revision)
        .bind(now)
        .fetch_all(tx)
        .await
        .map_err(Error::during("reopen runs"))?;
    let mut accounts: Vec<AccountId> = rows.into_iter().map(AccountId).collect();
    accounts.sort_unstable();
    Ok(accounts)
}
