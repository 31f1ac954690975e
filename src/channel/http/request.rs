//! The rendering of a message as a request to a gateway.

use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::Language;
use crate::core::lifecycle::outcome::{Outcome, Reaction};
use crate::core::manifest::desired::{ContentType, Http as Spec, MediumValues, RequestValues, is_near_or_tls};
use crate::core::template::{Escape, RequestTemplate};

/// A rendered request, without its credentials.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) url: String,
    pub(super) body: Option<String>,
    /// True if the request contains the `sender` of the account.
    pub(super) by_sender: bool,
    phone: String,
}

/// Compiles the address as a template.
///
/// # Errors
/// A sentence that does not repeat the address, which may be a secret.
pub(super) fn address(url: &str) -> Result<RequestTemplate, String> {
    if !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err("the address is not one: write `https://…`".to_owned());
    }
    if !is_near_or_tls(url) {
        return Err("without TLS only a private address or a name without a dot will do: write `https://…`".to_owned());
    }
    RequestTemplate::compile(url, Escape::Percent).map_err(|problem| problem.to_string())
}

impl Request {
    /// Fills in the templates. Refuses a message that cannot be sent, without a call.
    pub(super) fn of(
        (message, id): (&OutgoingMessage, &str),
        spec: &Spec,
        url: &RequestTemplate,
        body: Option<&RequestTemplate>,
    ) -> Result<Self, Outcome> {
        let uses = |variable: &str| url.uses(variable) || body.is_some_and(|body| body.uses(variable));
        if !message.content.media.is_empty() && !uses("media") {
            let error = "the request of this channel has no `media`, and the day has some";
            return Err(Outcome::refused(error, Reaction::Unfit));
        }
        let sender = message.policy.sender.as_deref();
        let by_sender = uses("sender");
        if sender.is_none() && by_sender {
            let error = "the account has no `sender`, and the channel asks for one";
            return Err(Outcome::refused(error, Reaction::PauseAccount));
        }
        let phone = spec.phone_format.write(message.phone.dialled());
        let values = values(message, &phone, id, sender);
        let at_fault = |key: &str, error: String| Outcome::refused(format!("`{key}`: {error}"), Reaction::PauseChannel);
        let rendered = |key: &str, template: &RequestTemplate| {
            template.render(&values).map_err(|error| at_fault(key, error.to_string()))
        };
        let (url, body) = (rendered("url", url)?, body.map(|body| rendered("body", body)).transpose()?);
        if let (ContentType::Json, Some(json)) = (spec.content_type, &body) {
            serde_json::from_str::<serde::de::IgnoredAny>(json)
                .map_err(|error| at_fault("body", format!("it is not JSON: {error}")))?;
        }
        Ok(Self { url, body, by_sender, phone })
    }

    /// Returns the texts that identify the person in the request: the phone as written, and its digits.
    pub(super) fn person(&self) -> impl Iterator<Item = &str> {
        let digits = self.phone.trim_start_matches('+').split('@').next();
        [Some(self.phone.as_str()), digits].into_iter().flatten()
    }
}

fn values<'a>(message: &'a OutgoingMessage, phone: &'a str, id: &'a str, sender: Option<&'a str>) -> RequestValues<'a> {
    let media = message.content.media.iter();
    RequestValues {
        phone,
        text: &message.content.text,
        message_id: id,
        sender,
        language: Language::as_str(&message.content.language),
        day: message.key.day.unsigned_abs(),
        account: message.key.target.account.0.into(),
        media: media
            .map(|one| MediumValues { kind: one.kind.as_str(), url: one.at.as_str(), caption: one.caption.as_deref() })
            .collect(),
    }
}
