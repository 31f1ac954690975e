//! The channel for the WhatsApp Cloud API of Meta.
//!
//! Meta has no idempotency key. A message that Meta may have read is [`Outcome::Unknown`] until a receipt says more.
//! Only a message that Meta certainly did not read is sent again.

mod answer;
mod errors;
mod request;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::Instant;

use self::answer::Answer;
pub use self::errors::{SWITCHED_OFF, by_details, by_number, reaction};
use self::request::Body;
use super::concurrency::CallSlots;
use super::masking::without;
use super::{Channel, Outcome, Reaction};
use crate::channel::outgoing::{Call, Outgoing, Silence};
use crate::channel::secret;
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{Callback, InstallationId, Timestamp};
use crate::core::manifest::desired::WhatsappCloud as Spec;

#[derive(Debug)]
pub struct WhatsappCloud {
    spec: Spec,
    outgoing: Outgoing,
    turns: CallSlots,
    installation: Option<InstallationId>,
}

impl WhatsappCloud {
    pub fn new(spec: Spec) -> Self {
        let outgoing = Outgoing::calling(spec.connect_timeout.into(), spec.timeout.into());
        let turns = CallSlots::new(spec.concurrency, spec.timeout.into());
        Self { spec, outgoing, turns, installation: None }
    }

    /// Adds the installation id, by which an installation recognizes its receipts.
    #[must_use]
    pub fn for_installation(self, installation: InstallationId) -> Self {
        Self { installation: Some(installation), ..self }
    }

    /// Hands over one message. No call begins that could outlast the hand-over.
    async fn send(&self, message: &OutgoingMessage, token: &str, latest: Instant) -> Outcome {
        let (number, is_shared) = match self.number(message) {
            Ok(number) => number,
            Err(outcome) => return outcome,
        };
        let callback = Callback::new(self.installation.as_ref(), message.key);
        let body = match request::body(message, &callback) {
            Ok(body) => body,
            Err(outcome) => return outcome,
        };
        let _turn = match self.turns.take(latest).await {
            Ok(turn) => turn,
            Err(outcome) => return outcome,
        };
        let outcome = self.exchange(number, &body, token, latest).await.map_or_else(
            |silence| match silence {
                Silence::NotSent(error) => Outcome::refused(error, Reaction::Retry { after: None }),
                Silence::Unknown(error) => Outcome::Unknown { error },
            },
            |answer| answer.outcome(message.attempts),
        );
        settled(outcome, is_shared, token, message)
    }

    async fn exchange(&self, number: &str, body: &Body, token: &str, latest: Instant) -> Result<Answer, Silence> {
        let answer = self.call(&format!("{number}/messages"), &body.text(), token).await?;
        if !(answer.wants_marketing_endpoint() && body.is_template && Instant::now() < latest) {
            return Ok(answer);
        }
        self.call(&format!("{number}/marketing_messages"), &body.marketing(), token).await
    }

    async fn call(&self, path: &str, body: &str, token: &str) -> Result<Answer, Silence> {
        let url = format!("{}/{}/{path}", self.spec.base_url, self.spec.api_version);
        let headers = [("authorization", format!("Bearer {token}"))];
        let call = Call::json(&url, &headers, body, self.spec.timeout.into());
        Ok(Answer::of(&self.outgoing.exchange(&call).await?))
    }

    /// Returns the number that sends: that of the account, else the shared one of the channel. The flag is true if it
    /// is shared.
    fn number<'a>(&'a self, message: &'a OutgoingMessage) -> Result<(&'a str, bool), Outcome> {
        let own = message.policy.sender.as_deref();
        let number = own.or(self.spec.phone_number_id.as_deref()).ok_or_else(|| {
            let error = "no number to send by: the account has no `sender`, and the channel no `phoneNumberId`";
            Outcome::refused(error, Reaction::PauseAccount)
        })?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            let error = format!("the `sender` `{number}` is not the id of a number, which is all digits");
            return Err(Outcome::refused(error, Reaction::PauseAccount));
        }
        Ok((number, own.is_none()))
    }
}

#[async_trait]
impl Channel for WhatsappCloud {
    async fn hand_over(&self, messages: &[OutgoingMessage], _: Timestamp) -> Vec<Outcome> {
        let latest = self.turns.latest();
        let all = |error: String, reaction| vec![Outcome::refused(error, reaction); messages.len()];
        // The token is read once per batch, so a renewed token takes effect at the next one.
        let token = match secret::read(&self.spec.access_token).await {
            Ok(token) => token,
            Err(error) => return all(format!("`accessToken`: {error}"), Reaction::PauseChannel),
        };
        let calls = messages.iter().map(|message| self.send(message, &token, latest));
        join_all(calls).await
    }
}

/// Completes an outcome. It keeps only the names that tell something new. It removes the token and the phone from the
/// error, because Meta may repeat them. It widens the reaction if the number is shared.
fn settled(outcome: Outcome, is_shared: bool, token: &str, message: &OutgoingMessage) -> Outcome {
    let phone = message.phone.dialled();
    match without(outcome, [token, phone, phone.trim_start_matches('+')].into_iter()) {
        Outcome::Refused(mut refusal) => {
            refusal.reaction = by_number(refusal.reaction, is_shared);
            Outcome::Refused(refusal)
        }
        Outcome::Accepted { provider_id, mut names } => {
            names.retain(|name| name.trim_start_matches('+') != phone.trim_start_matches('+'));
            Outcome::Accepted { provider_id, names }
        }
        unknown @ Outcome::Unknown { .. } => unknown,
    }
}
