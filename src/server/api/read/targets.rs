//! Targets: one person in one run each.

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::response::Response;

use super::scope::{bind, named};
use crate::server::access::{Caller, Reader};
use crate::server::api::list::{ListQuery, Page, Params, list_query};
use crate::server::api::state::Api;
use crate::server::problem::Problem;
use crate::store::query::{Standing, Wanted};

list_query! {
    /// The parameters of the list of targets.
    TargetsQuery {
        /// Only targets of this campaign
        campaign: String,
        /// Only targets of this account
        account: String,
        /// Only targets of this person
        referral: String,
        /// Only targets in this state
        state: Standing,
    }
}

list_query! {
    /// The parameters of the list of a campaign's targets.
    CampaignTargetsQuery {
        /// Only targets of this account
        account: String,
        /// Only targets in this state
        state: Standing,
    }
}

/// Lists the targets, by key. A target that is due has the reason why nothing is sent.
#[utoipa::path(get, path = "/targets", tag = "targets", operation_id = "listTargets", params(TargetsQuery),
    responses((status = 200, description = "A page of targets", body = ref("#/components/schemas/TargetList"))))]
pub(in crate::server::api) async fn list(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    uri: OriginalUri,
    Params(query): Params<TargetsQuery>,
) -> Result<Response, Problem> {
    let TargetsQuery { campaign, account, referral, state, .. } = &query;
    let wanted = Wanted {
        campaign: campaign.clone(),
        account: account.clone(),
        referral: referral.clone(),
        standing: *state,
        ..Wanted::default()
    };
    page(&api, &caller, uri, &query, wanted).await
}

/// Lists the targets of one campaign, by key.
#[utoipa::path(get, path = "/campaigns/{name}/targets", tag = "campaigns", operation_id = "listCampaignTargets",
    params(("name" = String, Path, description = "The name of the campaign"), CampaignTargetsQuery),
    responses((status = 200, description = "A page of targets", body = ref("#/components/schemas/TargetList"))))]
pub(in crate::server::api) async fn of_campaign(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    Path(name): Path<String>,
    uri: OriginalUri,
    Params(query): Params<CampaignTargetsQuery>,
) -> Result<Response, Problem> {
    let CampaignTargetsQuery { account, state, .. } = &query;
    let wanted =
        Wanted { campaign: Some(named(name)?), account: account.clone(), standing: *state, ..Wanted::default() };
    page(&api, &caller, uri, &query, wanted).await
}

async fn page(
    api: &Api,
    caller: &Caller,
    uri: OriginalUri,
    query: &impl ListQuery,
    wanted: Wanted,
) -> Result<Response, Problem> {
    let page = Page::of(uri, query, caller)?;
    let wanted = bind(api, caller, Wanted { limit: Some(page.rows()), ..wanted }).await?;
    let program = api.program().await?;
    let rows = api.readers.targets_after(&program, &wanted, page.place, caller.now).await?;
    Ok(page.answer(rows))
}
