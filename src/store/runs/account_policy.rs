//! Accounts whose `Account` manifests a plan changes: only these are examined again.

use serde_json::Value;
use sqlx::PgConnection;

use super::selector::accounts_of;
use crate::core::domain::AccountId;
use crate::core::manifest::Desired;
use crate::core::manifest::desired::AccountSelector;
use crate::core::manifest::desired::policy::Account;
use crate::core::plan::{Kind, Plan};
use crate::store::Error;
use crate::store::rows::decode;

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
    const OPERATION: &str = "read the accounts in force";
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
        .map_err(Error::during(OPERATION))?;
    let before: Result<Vec<Account>, _> = bodies.into_iter().map(serde_json::from_value).collect();
    let before = before.map_err(|error| decode(OPERATION)(sqlx::Error::Decode(error.into())))?;
    let after = spoken_of(plan, [desired, &Desired::default()]).cloned().collect::<Vec<_>>();
    let selectors: Vec<&AccountSelector> = before.iter().map(|account| &account.accounts).chain(&after).collect();
    accounts_of(tx, &selectors).await
}
