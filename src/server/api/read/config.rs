//! The rules of accounts.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::response::Response;

use super::scope::bind;
use crate::server::access::Reader;
use crate::server::api::list::{Page, Params, list_query};
use crate::server::api::state::Api;
use crate::server::problem::Problem;
use crate::store::query::Wanted;

list_query! {
    /// The parameters of the rules of accounts.
    ConfigQuery {
        /// Only this account
        account: String,
    }
}

/// Lists the rules that apply to each account, by its id.
#[utoipa::path(get, path = "/config", tag = "config", operation_id = "listConfig", params(ConfigQuery),
    responses((status = 200, description = "A page of rules", body = ref("#/components/schemas/RulesList"))))]
pub(in crate::server::api) async fn list(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    uri: OriginalUri,
    Params(query): Params<ConfigQuery>,
) -> Result<Response, Problem> {
    let page = Page::<String>::of(uri, &query, &caller)?;
    let wanted = Wanted { account: query.account, limit: Some(page.rows()), ..Wanted::default() };
    let wanted = bind(&api, &caller, wanted).await?;
    let program = api.program().await?;
    let rows = api.readers.rules_after(&program, &wanted, page.place.as_deref()).await?;
    Ok(page.answer(rows.into_iter().map(|rules| (rules.account.clone(), rules)).collect()))
}
