//! Revisions: the accepted states of the files. They concern every account.

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::scope::no_parameters;
use crate::server::access::Reader;
use crate::server::api::list::{Page, Params, list_query};
use crate::server::api::single::single;
use crate::server::api::state::Api;
use crate::server::problem::{Kind, Problem};

list_query! {
    /// The parameters of the list of revisions.
    RevisionsQuery {}
}

/// Lists the revisions, newest first.
#[utoipa::path(get, path = "/revisions", tag = "revisions", operation_id = "listRevisions", params(RevisionsQuery),
    responses((status = 200, description = "A page of revisions", body = ref("#/components/schemas/RevisionList"))))]
pub(in crate::server::api) async fn list(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    uri: OriginalUri,
    Params(query): Params<RevisionsQuery>,
) -> Result<Response, Problem> {
    caller.sees_every_account()?;
    let page = Page::of(uri, &query, &caller)?;
    let rows = api.readers.revisions_before(page.place, page.rows()).await?;
    Ok(page.answer(rows.into_iter().map(|revision| (revision.id, revision)).collect()))
}

/// Shows one revision with its changes.
#[utoipa::path(get, path = "/revisions/{number}", tag = "revisions", operation_id = "getRevision",
    params(("number" = i32, Path, description = "The number of the revision")),
    responses((status = 200, description = "The revision", body = ref("#/components/schemas/Revision")),
              (status = 304, description = "The client has it in this state")))]
pub(in crate::server::api) async fn show(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    Path(number): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.sees_every_account()?;
    no_parameters(&uri)?;
    // A number that no revision can have is the number of none.
    let number: i32 = number.parse().map_err(|_| Problem::of(Kind::NotFound))?;
    let revision = api.readers.revision(number).await?.ok_or_else(|| Problem::of(Kind::NotFound))?;
    single(&headers, &revision)
}
