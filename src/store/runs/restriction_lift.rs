//! Lifting of provider restrictions after a person's check.
//!
//! Locks: the lanes of all accounts with waiting runs, then restrictions, then runs.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, Name, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::overrides::Scope;
use crate::core::lifecycle::send_resources::Template;
use crate::store::Error;
use crate::store::schedule::wake::wake_waiting;

/// Lifts, for an order that resumes `scope`, the failures of its runs and its provider restrictions: the templates of a
/// campaign, or the number of a single account. Templates are shared by all accounts, so an order for one account does
/// not lift them. The lanes of `scope`, and of all accounts that [wait](waiting), are locked. Returns the details of
/// the lifted restrictions.
pub(in crate::store) async fn lift_for(
    tx: &mut PgConnection,
    scope: Scope,
    program: &Program,
    now: Timestamp,
) -> Result<Vec<Detail>, Error> {
    lift_faults(tx, scope).await?;
    let mut lifted = Vec::new();
    if let (None, Some(campaign)) = (scope.account(), scope.campaign()) {
        let templates: Vec<&Template> = program.resources.templates(campaign).collect();
        let by = program.campaign(campaign).and_then(|campaign| campaign.spec.channel.as_ref());
        lifted = lift(tx, Lifted::Templates(by, &templates)).await?;
    }
    if let Some(account) = scope.account() {
        let facts: Option<(String, serde_json::Value)> =
            sqlx::query_as("select external_id, attributes from account where id = $1")
                .bind(account.0)
                .fetch_optional(&mut *tx)
                .await
                .map_err(Error::during("read the account of an override"))?;
        let sender = facts.and_then(|(name, labels)| program.policies.of(&name, &labels).sender.clone());
        if let Some(sender) = sender {
            lifted.extend(lift(tx, Lifted::Number(&sender)).await?);
        }
    }
    if !lifted.is_empty() {
        wake_waiting(tx, now).await?;
    }
    Ok(lifted)
}

/// Clears the failures of runs after a person's check; a fault that persists is reported again.
async fn lift_faults(tx: &mut PgConnection, scope: Scope) -> Result<(), Error> {
    sqlx::query(
        "update run set fault_revision_id = null
         where ($1::int is null or account_id = $1) and ($2::int is null or campaign_id = $2)
           and fault_revision_id is not null and finished_at is null",
    )
    .bind(scope.account().map(|account| account.0))
    .bind(scope.campaign().map(|campaign| campaign.0))
    .execute(tx)
    .await
    .map_err(Error::during("lift the faults of runs"))?;
    Ok(())
}

/// The object of a check: a campaign's templates, an account's sender number, or a whole channel.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Lifted<'a> {
    /// These templates where sent by this channel; `None`: by any channel.
    Templates(Option<&'a Name>, &'a [&'a Template]),
    Number(&'a str),
    Channel(&'a str),
}

/// Lifts provider restrictions after a person's check; later reports count again. The lanes of all accounts that
/// [wait](waiting) are locked. Returns the details of the lifted restrictions.
pub(in crate::store) async fn lift(tx: &mut PgConnection, lifted: Lifted<'_>) -> Result<Vec<Detail>, Error> {
    let (mut names, mut languages, mut way, mut number, mut channel) = (Vec::new(), Vec::new(), None, None, None);
    match lifted {
        Lifted::Templates(by, templates) => {
            way = by.map(Name::as_str);
            (names, languages) = templates.iter().map(|one| (one.name.as_str(), one.language.as_str())).unzip();
        }
        Lifted::Number(name) => number = Some(name),
        Lifted::Channel(name) => channel = Some(name),
    }
    let lifted: Vec<Json<Detail>> = sqlx::query_scalar(include_str!("restriction_lift.sql"))
        .bind(channel)
        .bind(number)
        .bind(names)
        .bind(languages)
        .bind(way)
        .fetch_all(tx)
        .await
        .map_err(Error::during("lift a provider's restrictions"))?;
    Ok(lifted.into_iter().map(|Json(detail)| detail).collect())
}

/// Returns the accounts with a paused run that may resume when a provider or a person lifts a restriction.
pub(in crate::store) async fn waiting(tx: &mut PgConnection) -> Result<Vec<AccountId>, Error> {
    let accounts: Vec<i32> = sqlx::query_scalar(
        "select distinct account_id from run where finished_at is null and phase = 'paused'
           and reason in ('template-error', 'channel-unhealthy')",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::during("find runs that wait for a provider"))?;
    Ok(accounts.into_iter().map(AccountId).collect())
}
