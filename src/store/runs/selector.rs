//! Account selectors in SQL.

use sqlx::PgConnection;

use crate::core::domain::AccountId;
use crate::core::manifest::desired::AccountSelector;
use crate::store::Error;

/// Returns a selector as the two parameters of its SQL: ids, or labels.
pub(in crate::store) fn selection(selector: &AccountSelector) -> (Option<&[String]>, Option<serde_json::Value>) {
    match selector {
        AccountSelector::All => (None, None),
        AccountSelector::Names(names) => (Some(names), None),
        AccountSelector::MatchLabels(labels) => (None, Some(serde_json::json!(labels))),
    }
}

/// Returns the accounts that one of `selectors` selects, in id order.
pub(in crate::store) async fn accounts_of(
    db: &mut PgConnection,
    selectors: &[&AccountSelector],
) -> Result<Vec<AccountId>, Error> {
    let (mut all, mut names, mut labels) = (false, Vec::new(), Vec::new());
    for selector in selectors {
        match selector {
            AccountSelector::All => all = true,
            AccountSelector::Names(some) => names.extend(some.iter().map(String::as_str)),
            AccountSelector::MatchLabels(some) => labels.push(serde_json::json!(some)),
        }
    }
    let ids: Vec<i32> = sqlx::query_scalar(
        "select id from account a
         where $1 or a.external_id = any($2) or exists (select from unnest($3::jsonb[]) l where a.attributes @> l)
         order by id",
    )
    .bind(all)
    .bind(names)
    .bind(labels)
    .fetch_all(db)
    .await
    .map_err(Error::during("look for the accounts that manifests select"))?;
    Ok(ids.into_iter().map(AccountId).collect())
}
