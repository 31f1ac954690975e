//! Runs: created for every account that a campaign selects, and advanced when due.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::advance::advance;
use super::override_rows::end_overrides;
use super::scene::{Scene, Specs};
use super::selector::selection;
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::run::Status;
use crate::core::manifest::desired::AccountSelector;
use crate::store::generation::in_force;
use crate::store::lock::{lock_lanes, share_overrides};
use crate::store::{Error, Store};

impl Store {
    /// Advances due runs. Returns the number of changed phases.
    ///
    /// A program that is no longer in force changes nothing: the caller loads the new one and retries.
    pub async fn advance_runs(&self, program: &Program, now: Timestamp) -> Result<u64, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to advance runs"))?;
        share_overrides(&mut tx).await?;
        end_overrides(&mut tx, now).await?;
        let changed = advance(&mut tx, &Scene::of(program), now).await?.unwrap_or_default();
        if !in_force(&mut tx, program).await? {
            return Ok(0);
        }
        tx.commit().await.map_err(Error::during("commit the runs"))?;
        Ok(changed)
    }
}

/// Creates the missing run for every account that each campaign selects, and the missing lane for every account.
pub(in crate::store) async fn ensure(
    tx: &mut PgConnection,
    specs: &Specs<'_>,
    revision: i32,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into lane (account_id) select id from account a
         where not exists (select from lane l where l.account_id = a.id) on conflict do nothing",
    )
    .execute(&mut *tx)
    .await
    .map_err(Error::during("make lanes"))?;
    let status = Status::created();
    sqlx::query(include_str!("run_ensure.sql"))
        .bind(serde_json::Value::Array(specs.iter().map(|(id, spec)| selector(*id, &spec.accounts)).collect()))
        .bind(status.phase.as_str())
        .bind(status.reason.as_str())
        .bind(Json(status.detail))
        .bind(now)
        .bind(revision)
        .persistent(false)
        .execute(&mut *tx)
        .await
        .map_err(Error::during("make runs"))?;
    Ok(())
}

/// Returns a campaign's selector as a row for SQL; without names and labels it selects all accounts.
fn selector(id: CampaignId, accounts: &AccountSelector) -> serde_json::Value {
    let (names, labels) = selection(accounts);
    serde_json::json!({"campaign": id.0, "names": names, "labels": labels})
}

/// Locks the lanes of every account that has an unfinished run of one of `campaigns`, and of `others`.
pub(in crate::store) async fn lock_accounts_of(
    tx: &mut PgConnection,
    campaigns: &[i32],
    others: &[AccountId],
) -> Result<Vec<AccountId>, Error> {
    let accounts: Vec<i32> = sqlx::query_scalar(
        "select account_id from run where campaign_id = any($1) and finished_at is null union select unnest($2)",
    )
    .bind(campaigns)
    .bind(others.iter().map(|account| account.0).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("look for the accounts of a campaign"))?;
    let accounts: Vec<AccountId> = accounts.into_iter().map(AccountId).collect();
    lock_lanes(tx, &accounts).await?;
    Ok(accounts)
}
