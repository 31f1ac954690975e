//! The endpoint `/webhooks/{channel}`: the subscription handshake and posted webhooks. A webhook is answered as soon as
//! it is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};

use super::refusals::Reason;
use super::room::LARGEST;
use super::shared::Shared;
use crate::channel::secret;
use crate::channel::webhook;
use crate::core::manifest::desired::Secret;

/// The time for the body of a webhook to arrive.
const WAIT_FOR_BODY: Duration = Duration::from_secs(10);
const WAIT_FOR_STORE: Duration = Duration::from_secs(5);

/// The reason of a refusal, and a detail for the log alone.
struct Refused(Reason, Option<String>);

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self(reason, None)
    }
}

type Answer = (StatusCode, String);

/// Answers the handshake of a provider that subscribes.
pub(super) async fn shake_hands(
    State(shared): State<Arc<Shared>>,
    Path(channel): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Answer {
    answer(&shared, &channel, welcome(&shared, &channel, &asked).await)
}

async fn welcome(shared: &Shared, channel: &str, asked: &BTreeMap<String, String>) -> Result<String, Refused> {
    let door = shared.webhook_channels.of(channel).ok_or(Reason::UnknownChannel)?;
    let parameter = |key: &str| asked.get(key).map_or("", String::as_str);
    let expected = key(door.verify_token.as_ref(), "verifyToken").await?;
    if parameter("hub.mode") == "subscribe" && webhook::is_same(parameter("hub.verify_token"), &expected) {
        Ok(parameter("hub.challenge").to_owned())
    } else {
        Err(Reason::WrongToken.into())
    }
}

/// Answers a posted webhook.
pub(super) async fn post(State(shared): State<Arc<Shared>>, Path(channel): Path<String>, request: Request) -> Answer {
    let taken = take(&shared, &channel, request).await;
    answer(&shared, &channel, taken.map(|()| String::new()))
}

async fn take(shared: &Shared, channel: &str, request: Request) -> Result<(), Refused> {
    let door = shared.webhook_channels.of(channel).ok_or(Reason::UnknownChannel)?;
    let (head, body) = request.into_parts();
    let signature = head.headers.get("x-hub-signature-256").ok_or(Reason::NoSignature)?;
    let signature = signature.to_str().map_err(|_| Reason::WrongSignature)?;
    if length(&head.headers).is_some_and(|length| length > LARGEST) {
        return Err(Reason::TooLarge.into());
    }
    let arrived = tokio::time::timeout(WAIT_FOR_BODY, shared.room.read(body)).await;
    let (body, _room) = arrived.map_err(|_| Reason::TooSlow)??;
    if !webhook::is_signed(&key(door.app_secret.as_ref(), "appSecret").await?, signature, &body) {
        return Err(Reason::WrongSignature.into());
    }
    if !webhook::is_json(&body) {
        return Err(Reason::NotJson.into());
    }
    keep(shared, channel, &body).await?;
    shared.posted.notify_one();
    Ok(())
}

/// Returns the declared length of the body in bytes, if any.
fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Stores a webhook. A write that succeeds after its timeout does no harm: the provider sends the webhook again, and
/// the duplicate changes nothing.
async fn keep(shared: &Shared, channel: &str, body: &[u8]) -> Result<(), Refused> {
    let write = async {
        let _turn = shared.room.turn(body.len()).await;
        let (now, _) = shared.store.now().await?;
        shared.store.keep_webhook(channel, body, now).await
    };
    match tokio::time::timeout(WAIT_FOR_STORE, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Refused(Reason::NotKept, Some(error.to_string()))),
        Err(_) => Err(Refused(Reason::NotKept, Some("Postgres does not answer".to_owned()))),
    }
}

/// Returns the current value of `secret`.
async fn key(secret: Option<&Secret>, name: &str) -> Result<String, Refused> {
    let read = match secret {
        Some(secret) => secret::read(secret).await,
        None => Err(format!("the channel has no `{name}`")),
    };
    read.map_err(|error| Refused(Reason::NoSecret, Some(error)))
}

fn answer(shared: &Shared, channel: &str, result: Result<String, Refused>) -> Answer {
    match result {
        Ok(text) => (StatusCode::OK, text),
        Err(Refused(reason, detail)) => {
            shared.refusals.note(channel, reason, detail.as_deref());
            (reason.status(), format!("{}\n", reason.sentence()))
        }
    }
}
