//! Runs: one campaign for one account each.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::response::Response;

use super::scope::bind;
use crate::core::lifecycle::run::Phase;
use crate::server::access::Reader;
use crate::server::api::list::{Page, Params, list_query};
use crate::server::api::state::Api;
use crate::server::problem::Problem;
use crate::store::query::Wanted;

list_query! {
    /// The parameters of the list of runs.
    RunsQuery {
        /// Only runs of this campaign
        campaign: String,
        /// Only runs of this account
        account: String,
        /// Only runs in this phase
        phase: Phase,
    }
}

/// Lists the runs, by campaign and account.
#[utoipa::path(get, path = "/runs", tag = "runs", operation_id = "listRuns", params(RunsQuery),
    responses((status = 200, description = "A page of runs", body = ref("#/components/schemas/RunList"))))]
pub(in crate::server::api) async fn list(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    uri: OriginalUri,
    Params(query): Params<RunsQuery>,
) -> Result<Response, Problem> {
    let page = Page::of(uri, &query, &caller)?;
    let RunsQuery { campaign, account, phase, .. } = query;
    let wanted = Wanted { campaign, account, phase, limit: Some(page.rows()), ..Wanted::default() };
    let wanted = bind(&api, &caller, wanted).await?;
    let mut rows = api.readers.runs_after(&wanted, page.place.as_ref()).await?;
    let program = api.program().await?;
    for (_, run) in rows.iter_mut().filter(|(_, run)| run.finished_at.is_none()) {
        run.frozen = program.why_frozen(&run.campaign).map(ToString::to_string);
    }
    Ok(page.answer(rows))
}
