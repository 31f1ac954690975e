//! Accounts, with their progress today.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::response::Response;

use super::scope::bind;
use crate::core::domain::Phone;
use crate::server::access::Reader;
use crate::server::api::list::{Page, Params, list_query};
use crate::server::api::state::Api;
use crate::server::problem::Problem;
use crate::store::query::{Account, Wanted};

list_query! {
    /// The parameters of the list of accounts.
    AccountsQuery {
        /// Only this account
        account: String,
    }
}

/// Lists the accounts, by id. Phones are masked unless the role is `operator`.
#[utoipa::path(get, path = "/accounts", tag = "accounts", operation_id = "listAccounts", params(AccountsQuery),
    responses((status = 200, description = "A page of accounts", body = ref("#/components/schemas/AccountList"))))]
pub(in crate::server::api) async fn list(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    uri: OriginalUri,
    Params(query): Params<AccountsQuery>,
) -> Result<Response, Problem> {
    let page = Page::<String>::of(uri, &query, &caller)?;
    let wanted = Wanted { account: query.account, limit: Some(page.rows()), ..Wanted::default() };
    let wanted = bind(&api, &caller, wanted).await?;
    let program = api.program().await?;
    let rows = api.readers.accounts_after(&program, &wanted, page.place.as_deref(), caller.now).await?;
    let shown = |account: Account| {
        let mask = |phone: String| if caller.role.sees_phones() { phone } else { Phone::trusted(phone).masked() };
        (account.id.clone(), Account { phone: account.phone.map(mask), ..account })
    };
    Ok(page.answer(rows.into_iter().map(shown).collect()))
}
