//! `kind: Channel`: how messages leave, as it is written, as it is in force, and what each type takes.

pub(in crate::core::manifest) mod address;
mod http;
mod smtp;
mod whatsapp;

use std::collections::BTreeMap;
use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::address::is_near_or_tls;
pub use self::http::{MediumValues, RequestValues};
pub use self::smtp::UnsubscribeValues;
use super::secret::{MaybeSecret, Secret};
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Period;
pub use crate::core::manifest::desired::channel::{
    BasicAuth, Channel, ContentType, Encryption, Http, HttpMethod, PhoneFormat, Smtp, WhatsappCloud,
};
pub use crate::core::manifest::desired::channel_limits::Takes;
pub(in crate::core::manifest) use crate::core::manifest::lint::channel_limits::{Load, unfit};
use crate::core::manifest::schema::formats;
use crate::core::manifest::syntax::document::Document;
use crate::core::manifest::syntax::yaml::Node;

const TIMEOUT: Period = Period::seconds(10);
/// A call and what is done around it must be over when nobody waits for the channel any more.
const MAX_TIMEOUT: Period = Period::seconds(15);
const CONNECT_TIMEOUT: Period = Period::seconds(5);
const CONCURRENCY: u16 = 64;

/// How messages leave.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct ChannelSpec {
    /// `sandbox` keeps messages in Postgres and sends nothing; `whatsapp-cloud` is the Cloud API of Meta; `http` is any
    /// gateway that takes a request for each message; `smtp` is a mail server.
    #[serde(rename = "type")]
    kind: ChannelType,
    /// `sandbox`: how long a hand-over takes; 0s when left out.
    latency: Option<Period>,
    /// `whatsapp-cloud`: the id of the number that sends for accounts that have no `sender`, in quotes.
    phone_number_id: Option<String>,
    /// `whatsapp-cloud`: the id of the WhatsApp business account that the numbers belong to, in quotes.
    business_account_id: Option<String>,
    /// `whatsapp-cloud`: the token that may send.
    access_token: Option<Secret>,
    /// `whatsapp-cloud`: the secret of the app, with which webhooks are signed.
    app_secret: Option<Secret>,
    /// `whatsapp-cloud`: what Meta must know to subscribe the webhook.
    verify_token: Option<Secret>,
    /// `whatsapp-cloud`: the server; `https://graph.facebook.com` when left out.
    #[schemars(schema_with = "formats::url")]
    #[serde(default)]
    base_url: Option<String>,
    /// `whatsapp-cloud`: the version of the API; `v26.0` when left out.
    api_version: Option<String>,
    /// `http`: where each message is sent to: `https://…` or a secret; a template with the variables of `body`, whose
    /// values are percent-encoded. Within one's own network (a private address, a name without a dot) `http://…` will do.
    url: Option<MaybeSecret>,
    /// `http`: POST when left out.
    method: Option<HttpMethod>,
    /// `http`: sent with each message. Whatever lets one in must be a secret.
    headers: Option<BTreeMap<String, MaybeSecret>>,
    /// `http`: a name and a password that let one in.
    basic_auth: Option<BasicAuth>,
    /// `http`: what is sent: a template with `phone`, `text`, `messageId` (our own), `sender` (of the account), `language`,
    /// `day`, `account` and `media` (a list of `type`, `url` and `caption`). Values are put in as JSON, quotes included, so
    /// that `{"text": {{ text }}}` is valid whatever the text holds; in a form they are percent-encoded. Media go only by a
    /// channel that uses `media`.
    body: Option<String>,
    /// `http`: `application/json` when left out.
    content_type: Option<ContentType>,
    /// `http`: how `phone` is written: `e164` (`+12133734253`) when left out, `digits` (`12133734253`), or `jid`
    /// (`12133734253@c.us`).
    phone_format: Option<PhoneFormat>,
    /// `http`: a JSON pointer to the gateway's id of the message in its answer, as in `/key/id`. An answer without it leaves
    /// open whether the message was sent. When left out, the status of the answer is believed.
    message_id: Option<String>,
    /// `http`: answers that mean that a message was taken; 200 to 299 when left out.
    #[schemars(length(min = 1), inner(range(min = 200, max = 299)))]
    success_statuses: Option<Vec<u16>>,
    /// `http`: the header in which the gateway takes our id of a message, so that it sends it once however often it gets it.
    /// Only with it, messages whose answer was lost (or a 408, or a 5xx) are asked for again, at once; what is unknown
    /// afterwards waits for a receipt or a person, as all of it does without.
    idempotency_header: Option<String>,
    /// `http`: whether its use risks the number, as all that drives WhatsApp without Meta does; true when left out.
    unofficial: Option<bool>,
    /// `http`: whether its numbers may be new, which are banned sooner; true when left out.
    new_numbers: Option<bool>,
    /// `smtp`: the mail server.
    #[schemars(length(min = 1))]
    host: Option<String>,
    /// `smtp`: 465 for `tls`, 587 for `starttls`, 25 for `none` when left out.
    #[schemars(range(min = 1))]
    port: Option<u16>,
    /// `smtp`: `tls` from the first byte when left out; `starttls` before anything is said, or nothing is; `none` for a server
    /// on this machine only.
    encryption: Option<Encryption>,
    /// `smtp`: who is let in.
    username: Option<String>,
    /// `smtp`: what lets one in.
    password: Option<Secret>,
    /// `smtp`: in whose name accounts send that have no `sender`: `name@example.com` or `Name <name@example.com>`.
    from: Option<String>,
    /// `smtp`: where answers go; to whoever sends when left out.
    reply_to: Option<String>,
    /// `smtp`: where bounces go; to whoever sends when left out.
    bounce_address: Option<String>,
    /// `smtp`: where a click on “unsubscribe” is posted to (RFC 8058): an `https://…` template with `email`, `messageId`,
    /// `language` and `account`, the first or second of which must be in it.
    unsubscribe_url: Option<String>,
    /// `smtp`: an address to which a mail unsubscribes.
    unsubscribe_mailto: Option<String>,
    /// `whatsapp-cloud`, `http`, `smtp`: how long to wait for an answer, 15s at most; 10s when left out.
    timeout: Option<Period>,
    /// `whatsapp-cloud`, `http`, `smtp`: how long to wait for a connection; 5s when left out.
    connect_timeout: Option<Period>,
    /// `whatsapp-cloud`, `http`, `smtp`: calls or connections of a daemon at once; 64 when left out, 4 for `smtp`.
    #[schemars(range(min = 1, max = 1000))]
    concurrency: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ChannelType {
    Sandbox,
    WhatsappCloud,
    Http,
    Smtp,
}

impl ChannelType {
    const ALL: [Self; 4] = [Self::Sandbox, Self::WhatsappCloud, Self::Http, Self::Smtp];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::WhatsappCloud => "whatsapp-cloud",
            Self::Http => "http",
            Self::Smtp => "smtp",
        }
    }

    /// What may be said of it beside its type.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Sandbox => &["latency"],
            Self::WhatsappCloud => &[
                "phoneNumberId",
                "businessAccountId",
                "accessToken",
                "appSecret",
                "verifyToken",
                "baseUrl",
                "apiVersion",
                "timeout",
                "connectTimeout",
                "concurrency",
            ],
            Self::Http => &[
                "url",
                "method",
                "headers",
                "basicAuth",
                "body",
                "contentType",
                "phoneFormat",
                "messageId",
                "successStatuses",
                "idempotencyHeader",
                "unofficial",
                "newNumbers",
                "timeout",
                "connectTimeout",
                "concurrency",
            ],
            Self::Smtp => &[
                "host",
                "port",
                "encryption",
                "username",
                "password",
                "from",
                "replyTo",
                "bounceAddress",
                "unsubscribeUrl",
                "unsubscribeMailto",
                "timeout",
                "connectTimeout",
                "concurrency",
            ],
        }
    }
}

impl ChannelSpec {
    pub(in crate::core::manifest) fn check(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        self.foreign_keys(document, found);
        let mut report = Report { document, found };
        match self.kind {
            ChannelType::Sandbox => return,
            ChannelType::WhatsappCloud => whatsapp::check(self, &mut report),
            ChannelType::Http => http::check(self, &mut report),
            ChannelType::Smtp => smtp::check(self, &mut report),
        }
        self.check_timeouts(&mut report);
    }

    fn check_timeouts(&self, report: &mut Report<'_, '_>) {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        if timeout.is_zero() || timeout > MAX_TIMEOUT {
            let message = format!("`timeout` must be 1s at least and {MAX_TIMEOUT} at most");
            let help = "whatever has not answered by then is uncertain, and waits for a receipt";
            report.say(Code::OutOfRange, "timeout", message, help);
        } else if self.connect_timeout.is_some_and(|connect| connect.is_zero() || connect > timeout) {
            let message = format!("`connectTimeout` must be 1s at least and no longer than `timeout`, {timeout}");
            let help = "what was never connected is tried again by itself";
            report.say(Code::OutOfRange, "connectTimeout", message, help);
        }
    }

    /// Says of keys that belong to another type.
    fn foreign_keys(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        let written = document.node("/spec").map(Node::entries).unwrap_or_default();
        for (key, _) in written.iter().filter(|(key, _)| !self.kind.keys().contains(&key.name.as_str())) {
            let name = key.name.as_str();
            let owners = ChannelType::ALL.into_iter().filter(|kind| kind.keys().contains(&name));
            let owners: Vec<String> = owners.map(|kind| format!("`type: {}`", kind.as_str())).collect();
            if !owners.is_empty() {
                let place = document.key_place(&format!("/spec/{name}"));
                let message = format!("`{name}` means nothing to `{}`", self.kind.as_str());
                let help = format!("remove it; it belongs to channels of {}", owners.join(" or "));
                found.push(Diagnostic::new(Code::UnknownKey, place, message).help(help));
            }
        }
    }

    /// `None` when something is missing; it was reported.
    pub(in crate::core::manifest) fn resolve(&self) -> Option<Channel> {
        match self.kind {
            ChannelType::Sandbox => Some(Channel::Sandbox { latency: self.latency.unwrap_or(Period::ZERO) }),
            ChannelType::WhatsappCloud => whatsapp::resolve(self),
            ChannelType::Http => http::resolve(self),
            ChannelType::Smtp => smtp::resolve(self),
        }
    }

    /// For an answer, and for a connection.
    fn timeouts(&self) -> (Period, Period) {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        (timeout, self.connect_timeout.unwrap_or(CONNECT_TIMEOUT.min(timeout)))
    }
}

/// What is said of one manifest.
struct Report<'a, 'd> {
    document: &'a Document<'d>,
    found: &'a mut Vec<Diagnostic>,
}

impl Report<'_, '_> {
    /// Says it of a value, by its pointer below `spec`.
    fn say(&mut self, code: Code, key: &str, message: impl Into<String>, help: &str) {
        let place = self.document.place(&format!("/spec/{key}"));
        self.found.push(Diagnostic::new(code, place, message).help(help));
    }

    /// Says it of the place of a key.
    fn say_of_key(&mut self, code: Code, key: &str, message: impl Into<String>, help: &str) {
        let place = self.document.key_place(&format!("/spec/{key}"));
        self.found.push(Diagnostic::new(code, place, message).help(help));
    }
    /// Says it of a part of a text, in bytes of it.
    fn say_of_part(
        &mut self,
        code: Code,
        key: &str,
        part: Option<Range<usize>>,
        message: String,
        help: Option<String>,
    ) {
        let at = format!("/spec/{key}");
        let place = part.map_or_else(|| self.document.place(&at), |part| self.document.part(&at, part));
        self.found.push(Diagnostic::new(code, place, message).help_if(help));
    }
}
