//! Accounts whose `Account` manifests a plan changes: only these are examined again.

use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::selector::accounts_of;
use crate::core::domain::AccountId;
use crate::core::manifest::Desired;
use crate::core::manifest::desired::AccountSelector;
use crate::core::plan::{Kind, Plan};
use crate::store::Error;

/// Returns the selectors of the manifests that `plan` changes, in both `trees`: before and after the plan.
pub(in crate::store) fn spoken_of<'a>(
    plan: &'a Plan,
    trees: [&'a Desired; 2],
) -> impl Iterator<Item = &'a AccountSelector> {
    let changed = plan.changes.iter().filter(|change| change.kind == Kind::Account);
    let both = changed.flat_map(move |change| trees.map(|tree| tree.accounts.get(&change.name)));
    both.flatten().map(|account| &account.accounts)
}

/// Returns the ids of these accounts, both by the manifests in force and by the result of `plan`.
pub(in crate::store) async fn accounts_spoken_of(
    tx: &mut PgConnection,
    plan: &Plan,
    desired: &Desired,
) -> Result<Vec<AccountId>, Error> {
    let changed = plan.changes.iter().filter(|change| change.kind == Kind::Account);
    let names: Vec<String> = changed.map(|change| change.name.to_string()).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let bodies: Vec<Value> = sqlx::query_scalar("select body from manifest where kind = $1 and name = any($2)")
        .bind(Kind::Account.as_str())
        .bind(names)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("read the accounts in force"))?;
    // A stored selector that cannot be read may select any account.
    let selector = |body: &Value| body.get("accounts").and_then(|selector| AccountSelector::deserialize(selector).ok());
    let before: Vec<AccountSelector> =
        bodies.iter().map(|body| selector(body).unwrap_or(AccountSelector::All)).collect();
    let nothing = Desired::default();
    let after = spoken_of(plan, [desired, &nothing]);
    let selectors: Vec<&AccountSelector> = before.iter().chain(after).collect();
    accounts_of(tx, &selectors).await
}
