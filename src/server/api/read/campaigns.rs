//! Campaigns.

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::scope::{bind, named, no_parameters};
use crate::server::access::Reader;
use crate::server::api::list::{Page, Params, list_query};
use crate::server::api::single::single;
use crate::server::api::state::Api;
use crate::server::problem::{Kind, Problem};
use crate::store::query::{Campaign, DayCounts, Override, Wanted};

list_query! {
    /// The parameters of the list of campaigns.
    CampaignsQuery {}
}

/// A campaign with its days and the orders on it.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server::api) struct CampaignDetail {
    #[serde(flatten)]
    campaign: Campaign,
    /// The days for which people wait or messages were sent.
    days: Vec<DayCounts>,
    /// The orders of operators on the campaign, which beat its manifest.
    overrides: Vec<Override>,
}

/// Lists the campaigns, those in force first, then by name.
#[utoipa::path(get, path = "/campaigns", tag = "campaigns", operation_id = "listCampaigns", params(CampaignsQuery),
    responses((status = 200, description = "A page of campaigns", body = ref("#/components/schemas/CampaignList"))))]
pub(in crate::server::api) async fn list(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    uri: OriginalUri,
    Params(query): Params<CampaignsQuery>,
) -> Result<Response, Problem> {
    let page = Page::of(uri, &query, &caller)?;
    let wanted = bind(&api, &caller, Wanted { limit: Some(page.rows()), ..Wanted::default() }).await?;
    let mut rows = api.readers.campaigns_after(&wanted, page.place.as_ref()).await?;
    let program = api.program().await?;
    for (_, campaign) in rows.iter_mut().filter(|(_, campaign)| campaign.removed_at.is_none()) {
        campaign.frozen = program.why_frozen(&campaign.name).map(ToString::to_string);
    }
    Ok(page.answer(rows))
}

/// Shows one campaign with its days.
#[utoipa::path(get, path = "/campaigns/{name}", tag = "campaigns", operation_id = "getCampaign",
    params(("name" = String, Path, description = "The name of the campaign")),
    responses((status = 200, description = "The campaign", body = ref("#/components/schemas/CampaignDetail")),
              (status = 304, description = "The client has it in this state")))]
pub(in crate::server::api) async fn show(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    no_parameters(&uri)?;
    let name = named(name)?;
    let wanted = Wanted { campaign: Some(name.clone()), limit: Some(1), ..Wanted::default() };
    let wanted = bind(&api, &caller, wanted).await?;
    let found = api.readers.campaigns(&wanted).await?.into_iter().next();
    let mut campaign = found.ok_or_else(|| Problem::of(Kind::NotFound))?;
    if campaign.removed_at.is_none() {
        campaign.frozen = api.program().await?.why_frozen(&name).map(ToString::to_string);
    }
    let account = wanted.account.as_deref();
    let days = api.readers.campaign_days(&name, account).await?;
    let overrides = api.readers.overrides_of(&name, account, caller.now).await?;
    single(&headers, &CampaignDetail { campaign, days, overrides })
}
