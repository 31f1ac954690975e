//! Orders about plans, phones and messages.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::response::Response;

use super::body::{ApprovalBody, Found, ResolutionBody, SuppressionBody, bounded, reason};
use super::once::{json, once};
use super::report::{Approval, Resolution, Suppressions};
use crate::core::domain::{Country, Phone};
use crate::core::lifecycle::message;
use crate::core::lifecycle::outcome::Finding;
use crate::server::access::Operator;
use crate::server::api::body::Body;
use crate::server::api::read::scope::{named, no_parameters};
use crate::server::api::state::Api;
use crate::server::problem::{Kind, Problem};
use crate::store::{Approved, Chosen, Effect, Listed, Resolved, Store, Suppressed, Waiting};

/// Approves a plan that the daemon refused as a probable accident. It concerns every account.
#[utoipa::path(post, path = "/plans/{digest}/approve", tag = "plans", operation_id = "approvePlan",
    params(("digest" = String, Path, description = "The digest of the plan"),
           ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, description = "A key that makes the request take effect once")),
    request_body(content = ref("#/components/schemas/ApprovalBody"), content_type = "application/json"),
    responses((status = 200, description = "The approval", body = ref("#/components/schemas/Approval"))))]
pub(in crate::server::api) async fn approve(
    State(api): State<Arc<Api>>,
    Operator(caller): Operator,
    Path(digest): Path<String>,
    OriginalUri(uri): OriginalUri,
    Body(body, key): Body<ApprovalBody>,
) -> Result<Response, Problem> {
    caller.sees_every_account()?;
    no_parameters(&uri)?;
    let (digest, reason) = (named(digest)?, reason(&body.reason)?.to_owned());
    let report = {
        let (approved_by, reason) = (caller.name.clone(), reason.clone());
        move |waiting: &Waiting| {
            let (plan, refusal) = (waiting.digest.clone(), waiting.refusal.clone());
            json(&Approval { plan, approved_by: approved_by.clone(), reason: reason.clone(), refusal })
        }
    };
    let saved = report.clone();
    let saved = move |effect: &Effect| effect.downcast_ref().map(&saved);
    let work = async |store: Store| {
        let refuse = |detail: String| Err(Problem::new(Kind::PlanNotWaiting, detail));
        match store.approve_plan(&digest, &caller.name, &reason, caller.now).await? {
            Approved::Done(waiting) => Ok(report(&waiting)),
            Approved::CarriedOut(revision) => refuse(format!("the plan was applied already, as revision {revision}")),
            Approved::NotWaiting(Some(other)) => refuse(format!("the plan that waits is `{other}`")),
            Approved::NotWaiting(None) => refuse("no plan waits for an approval".to_owned()),
        }
    };
    once((&api, &caller), key, saved, work).await
}

/// Suppresses phones: no campaign of any account writes to them again.
#[utoipa::path(post, path = "/suppressions", tag = "people", operation_id = "suppressPhones",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, description = "A key that makes the request take effect once")),
    request_body(content = ref("#/components/schemas/SuppressionBody"), content_type = "application/json"),
    responses((status = 200, description = "The effect", body = ref("#/components/schemas/Suppressions"))))]
pub(in crate::server::api) async fn suppress(
    State(api): State<Arc<Api>>,
    Operator(caller): Operator,
    OriginalUri(uri): OriginalUri,
    Body(body, key): Body<SuppressionBody>,
) -> Result<Response, Problem> {
    caller.sees_every_account()?;
    no_parameters(&uri)?;
    let reason = reason(&body.reason)?;
    bounded("/phones", &body.phones)?;
    let country = body.country.as_deref().map(Country::parse).transpose();
    let country = country.map_err(|fault| Problem::body("/country", fault))?;
    let mut phones = BTreeSet::new();
    let mut problem: Option<Problem> = None;
    for (at, text) in body.phones.iter().enumerate() {
        match Phone::parse(text, country) {
            Ok(phone) => drop(phones.insert(phone)),
            Err(fault) => {
                let pointer = format!("/phones/{at}");
                problem = Some(match problem {
                    Some(problem) => problem.at(pointer, fault),
                    None => Problem::body(&pointer, fault),
                });
            }
        }
    }
    if let Some(problem) = problem {
        return Err(problem);
    }
    let given = phones.len() as u64;
    let report = move |done: &Suppressed| {
        let already = given.saturating_sub(done.added);
        json(&Suppressions { suppressed: done.added, already, exited: done.exited })
    };
    let saved = move |effect: &Effect| effect.downcast_ref().map(report);
    let work =
        async |store: Store| Ok(report(&store.suppress(&phones, Listed::ByHand, Some(reason), caller.now).await?));
    once((&api, &caller), key, saved, work).await
}

/// Records the outcome of uncertain messages, as a person found it out. Nothing is sent again.
#[utoipa::path(post, path = "/messages/resolve", tag = "messages", operation_id = "resolveMessages",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, description = "A key that makes the request take effect once")),
    request_body(content = ref("#/components/schemas/ResolutionBody"), content_type = "application/json"),
    responses((status = 200, description = "The effect", body = ref("#/components/schemas/Resolution"))))]
pub(in crate::server::api) async fn resolve(
    State(api): State<Arc<Api>>,
    Operator(caller): Operator,
    OriginalUri(uri): OriginalUri,
    Body(body, key): Body<ResolutionBody>,
) -> Result<Response, Problem> {
    no_parameters(&uri)?;
    let reason = reason(&body.reason)?;
    bounded("/ids", &body.ids)?;
    let (finding, state) = match body.outcome {
        Found::Sent => (Finding::Sent, message::State::Sent),
        Found::Failed => (Finding::Failed, message::State::Failed),
    };
    let chosen = match caller.scope_id() {
        Some(account) => Chosen::IdsOf(account, &body.ids),
        None => Chosen::Ids(&body.ids),
    };
    let report = move |resolved: u64| json(&Resolution { resolved, state });
    let saved = move |effect: &Effect| effect.downcast_ref().copied().map(report);
    let work = async |store: Store| match store.resolve(chosen, finding, Some(reason), caller.now).await? {
        Resolved::Done(resolved) => Ok(report(resolved)),
        Resolved::Refused(faults) => Err(unresolved(&body.ids, faults)),
    };
    once((&api, &caller), key, saved, work).await
}

/// Refuses ids that name no message, or one that is not uncertain.
fn unresolved(ids: &[String], faults: Vec<(String, Option<message::State>)>) -> Problem {
    let is_unknown = faults.iter().any(|(_, state)| state.is_none());
    let problem = Problem::of(if is_unknown { Kind::NotFound } else { Kind::MessageState });
    faults.into_iter().fold(problem, |problem, (id, state)| {
        let place = ids.iter().position(|known| *known == id).unwrap_or_default();
        let fault = state.map_or("there is no such message".to_owned(), |state| {
            format!("the message is {state}: only one that is uncertain can be resolved")
        });
        problem.at(format!("/ids/{place}"), fault)
    })
}
