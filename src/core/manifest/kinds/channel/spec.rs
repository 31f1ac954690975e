//! `kind: Channel` as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::domain::Period;
use crate::core::manifest::desired::{
    BasicAuth, ContentType, Encryption, HttpMethod, MaybeSecret, PhoneFormat, Secret,
};
use crate::core::manifest::kinds::formats;

pub(super) const TIMEOUT: Period = Period::seconds(10);
const CONNECT_TIMEOUT: Period = Period::seconds(5);
pub(super) const CONCURRENCY: u16 = 64;

/// How messages leave.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct ChannelSpec {
    /// `sandbox` keeps messages in Postgres and sends nothing; `whatsapp-cloud` is the Cloud API of Meta; `http` is any
    /// gateway that takes a request for each message; `smtp` is a mail server.
    #[serde(rename = "type")]
    pub(super) kind: ChannelType,
    /// `sandbox`: how long a hand-over takes; 0s when left out.
    pub(super) latency: Option<Period>,
    /// `whatsapp-cloud`: the id of the number that sends for accounts that have no `sender`, in quotes.
    pub(super) phone_number_id: Option<String>,
    /// `whatsapp-cloud`: the id of the WhatsApp business account that the numbers belong to, in quotes.
    pub(super) business_account_id: Option<String>,
    /// `whatsapp-cloud`: the token that may send.
    pub(super) access_token: Option<Secret>,
    /// `whatsapp-cloud`: the secret of the app, with which webhooks are signed.
    pub(super) app_secret: Option<Secret>,
    /// `whatsapp-cloud`: what Meta must know to subscribe the webhook.
    pub(super) verify_token: Option<Secret>,
    /// `whatsapp-cloud`: the server; `https://graph.facebook.com` when left out.
    #[schemars(schema_with = "formats::url")]
    #[serde(default)]
    pub(super) base_url: Option<String>,
    /// `whatsapp-cloud`: the version of the API; `v26.0` when left out.
    pub(super) api_version: Option<String>,
    /// `http`: where each message is sent to: `https://…` or a secret; a template with the variables of `body`, whose
    /// values are percent-encoded. Within one's own network (a private address, a name without a dot) `http://…` will do.
    pub(super) url: Option<MaybeSecret>,
    /// `http`: POST when left out.
    pub(super) method: Option<HttpMethod>,
    /// `http`: sent with each message. Whatever lets one in must be a secret.
    pub(super) headers: Option<BTreeMap<String, MaybeSecret>>,
    /// `http`: a name and a password that let one in.
    pub(super) basic_auth: Option<BasicAuth>,
    /// `http`: what is sent: a template with `phone`, `text`, `messageId` (our own), `sender` (of the account), `language`,
    /// `day`, `account` and `media` (a list of `type`, `url` and `caption`). Values are put in as JSON, quotes included, so
    /// that `{"text": {{ text }}}` is valid whatever the text holds; in a form they are percent-encoded. Media go only by a
    /// channel that uses `media`.
    pub(super) body: Option<String>,
    /// `http`: `application/json` when left out.
    pub(super) content_type: Option<ContentType>,
    /// `http`: how `phone` is written: `e164` (`+12133734253`) when left out, `digits` (`12133734253`), or `jid`
    /// (`12133734253@c.us`).
    pub(super) phone_format: Option<PhoneFormat>,
    /// `http`: a JSON pointer to the gateway's id of the message in its answer, as in `/key/id`. An answer without it leaves
    /// open whether the message was sent. When left out, the status of the answer is believed.
    pub(super) message_id: Option<String>,
    /// `http`: answers that mean that a message was taken; 200 to 299 when left out.
    #[schemars(length(min = 1), inner(range(min = 200, max = 299)))]
    pub(super) success_statuses: Option<Vec<u16>>,
    /// `http`: the header in which the gateway takes our id of a message, so that it sends it once however often it gets it.
    /// Only with it, messages whose answer was lost (or a 408, or a 5xx) are asked for again, at once; what is unknown
    /// afterwards waits for a receipt or a person, as all of it does without.
    pub(super) idempotency_header: Option<String>,
    /// `http`: whether its use risks the number, as all that drives WhatsApp without Meta does; true when left out.
    pub(super) unofficial: Option<bool>,
    /// `http`: whether its numbers may be new, which are banned sooner; true when left out.
    pub(super) new_numbers: Option<bool>,
    /// `smtp`: the mail server.
    #[schemars(length(min = 1))]
    pub(super) host: Option<String>,
    /// `smtp`: 465 for `tls`, 587 for `starttls`, 25 for `none` when left out.
    #[schemars(range(min = 1))]
    pub(super) port: Option<u16>,
    /// `smtp`: `tls` from the first byte when left out; `starttls` before anything is said, or nothing is; `none` for a server
    /// on this machine only.
    pub(super) encryption: Option<Encryption>,
    /// `smtp`: who is let in.
    pub(super) username: Option<String>,
    /// `smtp`: what lets one in.
    pub(super) password: Option<Secret>,
    /// `smtp`: in whose name accounts send that have no `sender`: `name@example.com` or `Name <name@example.com>`.
    pub(super) from: Option<String>,
    /// `smtp`: where answers go; to whoever sends when left out.
    pub(super) reply_to: Option<String>,
    /// `smtp`: where bounces go; to whoever sends when left out.
    pub(super) bounce_address: Option<String>,
    /// `smtp`: where a click on “unsubscribe” is posted to (RFC 8058): an `https://…` template with `email`, `messageId`,
    /// `language` and `account`, the first or second of which must be in it.
    pub(super) unsubscribe_url: Option<String>,
    /// `smtp`: an address to which a mail unsubscribes.
    pub(super) unsubscribe_mailto: Option<String>,
    /// `whatsapp-cloud`, `http`, `smtp`: how long to wait for an answer, 15s at most; 10s when left out.
    pub(super) timeout: Option<Period>,
    /// `whatsapp-cloud`, `http`, `smtp`: how long to wait for a connection; 5s when left out.
    pub(super) connect_timeout: Option<Period>,
    /// `whatsapp-cloud`, `http`, `smtp`: calls or connections of a daemon at once; 64 when left out, 4 for `smtp`.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) concurrency: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ChannelType {
    Sandbox,
    WhatsappCloud,
    Http,
    Smtp,
}

impl ChannelType {
    pub(super) const ALL: [Self; 4] = [Self::Sandbox, Self::WhatsappCloud, Self::Http, Self::Smtp];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::WhatsappCloud => "whatsapp-cloud",
            Self::Http => "http",
            Self::Smtp => "smtp",
        }
    }

    /// What may be said of it beside its type.
    pub(super) const fn keys(self) -> &'static [&'static str] {
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
    /// For an answer, and for a connection.
    pub(super) fn timeouts(&self) -> (Period, Period) {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        (timeout, self.connect_timeout.unwrap_or(CONNECT_TIMEOUT.min(timeout)))
    }
}
