//! The channel for any gateway that takes one HTTP request for each message.
//!
//! | answer | outcome |
//! |---|---|
//! | one that meets a rule of `errors` | what the first such rule means |
//! | a success status, with a value of `success` and an id where `messageId` points | accepted |
//! | a success status with another value where `success` points | not sent: its day fails |
//! | a success status without that id or value; another 2xx | unknown: the message may have left |
//! | no connection | not sent: tried again |
//! | a connection, then no answer; 408; 5xx | unknown |
//! | 429; 503 with `Retry-After` | not sent: the lane waits |
//! | 401, 403 or 404 to a request that contains the `sender` | every message of the account would fail: the account pauses |
//! | 3xx, 401, 402, 403, 407 | every message would fail: the channel pauses |
//! | any other 4xx | the message is at fault: its day fails |
//!
//! With an `idempotencyHeader`, an unknown outcome is followed at once by the same request, while the gateway still
//! knows the id. If the gateway then reports success, the message is accepted. Any other answer says nothing about the
//! first request.

mod answer;
mod request;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::Instant;

use self::answer::Asked;
use self::request::Request;
use super::concurrency::CallSlots;
use super::masking::{basic, without};
use super::{Channel, Outcome, Reaction};
use crate::channel::outgoing::{Call, Method, Outgoing};
use crate::channel::secret;
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{Callback, InstallationId, Timestamp};
use crate::core::lifecycle::outcome::ATTEMPTS;
use crate::core::manifest::desired::{Http as Spec, HttpMethod};
use crate::core::template::{Problem, RequestTemplate};

#[derive(Debug)]
pub struct Http {
    spec: Spec,
    body: Option<Result<RequestTemplate, Problem>>,
    outgoing: Outgoing,
    turns: CallSlots,
    installation: Option<InstallationId>,
}

/// The current address and credentials of the gateway.
struct Access {
    url: RequestTemplate,
    headers: Vec<(String, String)>,
    credentials: Option<(String, String)>,
    /// The texts that no error may repeat.
    secrets: Vec<String>,
}

impl Http {
    pub fn new(spec: Spec) -> Self {
        let outgoing = Outgoing::calling(spec.connect_timeout.into(), spec.timeout.into());
        let turns = CallSlots::new(spec.concurrency, spec.timeout.into());
        Self { body: spec.body_template(), spec, outgoing, turns, installation: None }
    }

    /// Adds the installation id, so that a gateway never confuses the messages of two installations.
    #[must_use]
    pub fn for_installation(self, installation: InstallationId) -> Self {
        Self { installation: Some(installation), ..self }
    }

    /// Reads every secret of the channel.
    async fn access(&self) -> Result<Access, String> {
        let in_field = |key: &str, error: &dyn std::fmt::Display| format!("`{key}`: {error}");
        let url = secret::read_if_secret(&self.spec.url).await.map_err(|error| in_field("url", &error))?;
        let mut secrets: Vec<String> = self.spec.url.plain().is_none().then(|| url.clone()).into_iter().collect();
        let url = request::address(&url).map_err(|error| in_field("url", &error))?;
        let mut headers = Vec::new();
        for (name, value) in &self.spec.headers {
            let read = secret::read_if_secret(value).await.map_err(|error| in_field(name, &error))?;
            secrets.extend(value.plain().is_none().then(|| read.clone()));
            headers.push((name.clone(), read));
        }
        let mut credentials = None;
        if let Some(auth) = &self.spec.basic_auth {
            let password = secret::read(&auth.password).await.map_err(|error| in_field("basicAuth", &error))?;
            secrets.extend([password.clone(), basic(&auth.username, &password)]);
            credentials = Some((auth.username.clone(), password));
        }
        Ok(Access { url, headers, credentials, secrets })
    }

    async fn exchange(&self, call: &Call<'_>, asked: Asked<'_>) -> Outcome {
        match self.outgoing.exchange(call).await {
            Ok(reply) => answer::outcome(&self.spec, &reply, asked),
            Err(silence) => answer::silence(silence),
        }
    }

    /// Hands over one message. No call begins that could outlast the hand-over.
    async fn send(&self, message: &OutgoingMessage, access: &Access, (latest, now): (Instant, Timestamp)) -> Outcome {
        let id = Callback::new(self.installation.as_ref(), message.key).to_string();
        let made = match &self.body {
            None => Request::of((message, &id), &self.spec, &access.url, None),
            Some(Ok(body)) => Request::of((message, &id), &self.spec, &access.url, Some(body)),
            Some(Err(problem)) => Err(Outcome::refused(format!("`body`: {problem}"), Reaction::PauseChannel)),
        };
        let request = match made {
            Ok(request) => request,
            Err(outcome) => return outcome,
        };
        let _turn = match self.turns.take(latest).await {
            Ok(turn) => turn,
            Err(outcome) => return outcome,
        };
        let mut headers: Vec<(&str, String)> =
            access.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        headers.extend(self.spec.idempotency_header.as_deref().map(|name| (name, id.clone())));
        let call = Call {
            method: match self.spec.method {
                HttpMethod::Post => Method::POST,
                HttpMethod::Put => Method::PUT,
                HttpMethod::Get => Method::GET,
            },
            url: &request.url,
            credentials: access.credentials.as_ref().map(|(name, password)| (name.as_str(), password.as_str())),
            headers: &headers,
            body: request.body.as_deref().map(|body| (self.spec.content_type.as_str(), body)),
            within: self.spec.timeout.into(),
        };
        let asked = Asked { id: &id, by_sender: request.by_sender, now };
        let mut outcome = self.exchange(&call, asked).await;
        for _ in 1..ATTEMPTS {
            let is_unknown = matches!(outcome, Outcome::Unknown { .. });
            if self.spec.idempotency_header.is_none() || !is_unknown || Instant::now() >= latest {
                break;
            }
            if let accepted @ Outcome::Accepted { .. } = self.exchange(&call, asked).await {
                outcome = accepted;
            }
        }
        without(outcome, access.secrets.iter().map(String::as_str).chain(request.person()))
    }
}

#[async_trait]
impl Channel for Http {
    async fn hand_over(&self, messages: &[OutgoingMessage], now: Timestamp) -> Vec<Outcome> {
        let latest = self.turns.latest();
        // Secrets are read once per batch, so a renewed one takes effect at the next batch.
        match self.access().await {
            Ok(access) => join_all(messages.iter().map(|message| self.send(message, &access, (latest, now)))).await,
            Err(error) => vec![Outcome::refused(error, Reaction::PauseChannel); messages.len()],
        }
    }
}
