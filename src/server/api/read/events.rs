//! The log: what teams and operators decided, and what happened to runs.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::response::Response;

use super::scope::bind;
use crate::core::domain::Timestamp;
use crate::server::access::Reader;
use crate::server::api::list::{Page, Params, list_query};
use crate::server::api::state::Api;
use crate::server::problem::Problem;
use crate::store::query::{LogOf, Wanted};

list_query! {
    /// The parameters of the log.
    EventsQuery {
        /// Only events of this campaign, and the revisions that changed it
        campaign: String,
        /// Only events of this account
        account: String,
        /// Only events since this instant, in RFC 3339
        since: Timestamp,
    }
}

/// Lists the events, newest first. A token of one account sees the events of that account alone.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "listEvents", params(EventsQuery),
    responses((status = 200, description = "A page of events", body = ref("#/components/schemas/EventList"))))]
pub(in crate::server::api) async fn list(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    uri: OriginalUri,
    Params(query): Params<EventsQuery>,
) -> Result<Response, Problem> {
    let page = Page::of(uri, &query, &caller)?;
    let EventsQuery { campaign, account, since, .. } = query;
    let wanted = bind(&api, &caller, Wanted { campaign, account, ..Wanted::default() }).await?;
    let of = LogOf { campaign: wanted.campaign, account: wanted.account, since };
    let lines = api.readers.log_before(&of, page.place, page.rows()).await?;
    Ok(page.answer(lines.into_iter().filter_map(|line| Some((line.place()?, line))).collect()))
}
