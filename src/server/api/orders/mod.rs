//! Orders of operators, with the same store verbs as `relancectl pause` and its siblings.

pub(super) mod body;
mod once;
pub(super) mod people;
pub(super) mod report;

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::response::Response;

use self::body::{OrderBody, reason};
use self::once::{json, once};
use super::body::Body;
use super::read::scope::{bind, named, no_parameters};
use super::state::Api;
use crate::core::lifecycle::overrides::{Action, Override, Scope};
use crate::core::lifecycle::run::Phase;
use crate::server::access::{Caller, Operator};
use crate::server::problem::{Kind, Problem};
use crate::store::query::Wanted;
use crate::store::{Effect, OrderEffect, Ordered, Outcome, Store};

/// Defines the route of an order.
macro_rules! order {
    ($name:ident, $path:literal, $operation:literal, $action:expr, $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "campaigns", operation_id = $operation,
            params(("name" = String, Path, description = "The name of the campaign"),
                   ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, description = "A key that makes the request take effect once")),
            request_body(content = ref("#/components/schemas/OrderBody"), content_type = "application/json"),
            responses((status = 200, description = "The order and its effect",
                       body = ref("#/components/schemas/OrderEffect"))))]
        pub(super) async fn $name(
            State(api): State<Arc<Api>>,
            Operator(caller): Operator,
            Path(name): Path<String>,
            OriginalUri(uri): OriginalUri,
            body: Body<OrderBody>,
        ) -> Result<Response, Problem> {
            no_parameters(&uri)?;
            give(&api, &caller, ($action, named(name)?), body).await
        }
    };
}

order!(
    start,
    "/campaigns/{name}/start",
    "startCampaign",
    Action::Start,
    /// Starts a draft, or a campaign before its start time.
);
order!(
    pause,
    "/campaigns/{name}/pause",
    "pauseCampaign",
    Action::Pause,
    /// Stops a campaign from enrolling and sending, whatever its manifest says.
);
order!(
    resume,
    "/campaigns/{name}/resume",
    "resumeCampaign",
    Action::Resume,
    /// Lifts a pause, also one of the manifest or the provider.
);
order!(
    cancel,
    "/campaigns/{name}/cancel",
    "cancelCampaign",
    Action::Cancel,
    /// Ends the runs of a campaign for ever; everybody in them leaves.
);

async fn give(
    api: &Api,
    caller: &Caller,
    (action, name): (Action, String),
    Body(body, key): Body<OrderBody>,
) -> Result<Response, Problem> {
    let reason = reason(&body.reason)?.to_owned();
    if body.until.is_some_and(|until| until <= caller.now) {
        return Err(Problem::body("/until", "the end of an order lies ahead"));
    }
    let wanted = Wanted { campaign: Some(name.clone()), account: body.account, ..Wanted::default() };
    let account = bind(api, caller, wanted).await?.account;
    let scope = scope(api, &name, account.as_deref()).await?;
    let order = Override { scope, action, actor: caller.name.clone(), reason, until: body.until };
    let report = {
        let (order, campaign) = (order.clone(), name.clone());
        move |outcome: &Outcome| {
            let of = (Some(campaign.clone()), account.clone());
            let effect = OrderEffect::of(order.action, of, &order.actor, order.until, outcome);
            json(&OrderEffect { reason: Some(order.reason.clone()), ..effect })
        }
    };
    let saved = report.clone();
    let saved = move |effect: &Effect| effect.downcast_ref().map(&saved);
    let work = async move |store: Store| {
        let phases = api.readers.run_phases(scope).await?;
        if let Some(phase) = phases.first().filter(|_| phases.iter().all(|phase| phase.is_final())) {
            return Err(ended(&name, action, *phase));
        }
        loop {
            match store.set_override(&*api.program().await?, &order, caller.now).await? {
                Ordered::Done(outcome) => return Ok(report(&outcome)),
                Ordered::Refused(fault) => return Err(Problem::body("", fault)),
                // Another revision was accepted meanwhile: the order is tried again.
                Ordered::Outdated => {}
            }
        }
    };
    once((api, caller), key, saved, work).await
}

/// Returns the runs of an order.
async fn scope(api: &Api, name: &str, account: Option<&str>) -> Result<Scope, Problem> {
    let campaign = api.readers.campaign_in_force(name).await?.ok_or_else(|| Problem::of(Kind::CampaignOver))?;
    let account = match account {
        Some(id) => {
            let found = api.readers.find_accounts(&[id]).await?.remove(id);
            Some(found.ok_or_else(|| Problem::of(Kind::NotFound))?)
        }
        None => None,
    };
    Scope::of(account, Some(campaign)).ok_or_else(|| Problem::of(Kind::Internal))
}

fn ended(name: &str, action: Action, phase: Phase) -> Problem {
    Problem::new(
        Kind::CampaignPhase,
        format!("`{name}` cannot be {}: it is {phase}, a final phase that allows no order", action.done()),
    )
}
