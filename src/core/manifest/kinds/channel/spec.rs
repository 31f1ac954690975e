//! The schema of `kind: Channel`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::domain::Period;
use crate::core::manifest::desired::{
    AnswerRule, BasicAuth, ContentType, Encryption, HttpMethod, MaybeSecret, PhoneFormat, Secret, Success,
};
use crate::core::manifest::kinds::formats;

pub(super) const TIMEOUT: Period = Period::seconds(10);
const CONNECT_TIMEOUT: Period = Period::seconds(5);
pub(super) const CONCURRENCY: u16 = 64;

/// The way messages are sent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct ChannelSpec {
    /// The type. `sandbox` keeps messages in Postgres and sends nothing. `whatsapp-cloud` is the Cloud API of Meta.
    /// `http` is any gateway that takes one request per message. `smtp` is a mail server.
    #[serde(rename = "type")]
    pub(super) kind: ChannelType,
    /// `sandbox`: the simulated duration of a send; 0s by default.
    pub(super) latency: Option<Period>,
    /// `whatsapp-cloud`: the id, in quotes, of the number that sends for accounts without a `sender`.
    pub(super) phone_number_id: Option<String>,
    /// `whatsapp-cloud`: the id, in quotes, of the WhatsApp business account that owns the numbers.
    pub(super) business_account_id: Option<String>,
    /// `whatsapp-cloud`: the access token for sending.
    pub(super) access_token: Option<Secret>,
    /// `whatsapp-cloud`: the app secret, which signs webhooks.
    pub(super) app_secret: Option<Secret>,
    /// `whatsapp-cloud`: the token that Meta presents when it subscribes the webhook.
    pub(super) verify_token: Option<Secret>,
    /// `whatsapp-cloud`: the server; `https://graph.facebook.com` by default.
    #[schemars(schema_with = "formats::url")]
    #[serde(default)]
    pub(super) base_url: Option<String>,
    /// `whatsapp-cloud`: the version of the API; `v26.0` by default.
    pub(super) api_version: Option<String>,
    /// `http`: the URL of the request: `https://…` or a secret. It is a template with the variables of `body`, whose
    /// values are percent-encoded. `http://…` is allowed for a private address or a host name without a dot.
    pub(super) url: Option<MaybeSecret>,
    /// `http`: the method; POST by default.
    pub(super) method: Option<HttpMethod>,
    /// `http`: headers sent with each message. A header that grants access must be a secret.
    pub(super) headers: Option<BTreeMap<String, MaybeSecret>>,
    /// `http`: the user name and password of HTTP basic authentication.
    pub(super) basic_auth: Option<BasicAuth>,
    /// `http`: the body, a template. Its variables are `phone`, `text`, `messageId` (the id that relance gives),
    /// `sender` (of the account), `language`, `day`, `account` and `media`. `media` is a list of `type`, `url` and
    /// `caption`. Values are inserted as JSON, quotes included, so `{"text": {{ text }}}` is always valid. In a form
    /// they are percent-encoded. Media are sent only if the request uses `media`.
    pub(super) body: Option<String>,
    /// `http`: the content type; `application/json` by default.
    pub(super) content_type: Option<ContentType>,
    /// `http`: the format of `phone`: `e164` (`+12133734253`), `digits` (`12133734253`) or `jid` (`12133734253@c.us`);
    /// `e164` by default.
    pub(super) phone_format: Option<PhoneFormat>,
    /// `http`: a JSON pointer to the gateway's message id in its response, such as `/key/id`. A response without the
    /// id leaves the message uncertain. By default the status code alone decides.
    pub(super) message_id: Option<String>,
    /// `http`: the status codes that mean that the gateway accepted the message; 200 to 299 by default.
    #[schemars(length(min = 1), inner(range(min = 200, max = 299)))]
    pub(super) success_statuses: Option<Vec<u16>>,
    /// `http`: the place in the answer that states success, and its values of success, as in
    /// `{pointer: /messages/0/status, values: ["0"]}`. Any other value there fails the day, unless a rule of `errors`
    /// says more. An answer without the place leaves the message uncertain.
    pub(super) success: Option<Success>,
    /// `http`: rules for answers, as in `{status: 400, match: /code, equals: 21610, means: suppress}`. The first rule
    /// that applies counts, whatever the status. Without one, `success` and the status decide.
    #[schemars(length(min = 1))]
    pub(super) errors: Option<Vec<AnswerRule>>,
    /// `http`: the header that carries the message id of relance, for gateways that send each id only once. With it, a
    /// lost response, a 408 or a 5xx is retried at once. A message that is still uncertain then waits for a receipt or
    /// a person. Without this header, every such message waits.
    pub(super) idempotency_header: Option<String>,
    /// `http`: `true` if the gateway drives WhatsApp without Meta's approval, which can get the number banned; true by
    /// default.
    pub(super) unofficial: Option<bool>,
    /// `http`: `true` if numbers of the channel may be new, since new numbers are banned sooner; true by default.
    pub(super) new_numbers: Option<bool>,
    /// `smtp`: the host name of the mail server.
    #[schemars(length(min = 1))]
    pub(super) host: Option<String>,
    /// `smtp`: the port; by default 465 for `tls`, 587 for `starttls`, 25 for `none`.
    #[schemars(range(min = 1))]
    pub(super) port: Option<u16>,
    /// `smtp`: `tls` encrypts from the first byte and is the default. `starttls` upgrades before anything is sent, and
    /// fails if it cannot. `none` is for a server on this machine only.
    pub(super) encryption: Option<Encryption>,
    /// `smtp`: the full name by which the client introduces itself, such as `mail.example.com`, or its address, such as
    /// `[192.0.2.1]`. By default the host name, or the address of the machine if the host name has no dot.
    #[schemars(length(min = 1))]
    pub(super) helo_name: Option<String>,
    /// `smtp`: the user name.
    pub(super) username: Option<String>,
    /// `smtp`: the password.
    pub(super) password: Option<Secret>,
    /// `smtp`: the sender address of accounts without a `sender`: `name@example.com` or `Name <name@example.com>`.
    pub(super) from: Option<String>,
    /// `smtp`: the address for replies; by default the sender.
    pub(super) reply_to: Option<String>,
    /// `smtp`: the address for bounces; by default the sender.
    pub(super) bounce_address: Option<String>,
    /// `smtp`: the URL for one-click unsubscribe (RFC 8058): an `https://…` template with `email`, `messageId`,
    /// `language` and `account`. It must contain `email` or `messageId`.
    pub(super) unsubscribe_url: Option<String>,
    /// `smtp`: the mail address that receives unsubscribe requests.
    pub(super) unsubscribe_mailto: Option<String>,
    /// `whatsapp-cloud`, `http`, `smtp`: the time to wait for a response, 15s at most; 10s by default.
    pub(super) timeout: Option<Period>,
    /// `whatsapp-cloud`, `http`, `smtp`: the time to wait for a connection; 5s by default.
    pub(super) connect_timeout: Option<Period>,
    /// `whatsapp-cloud`, `http`, `smtp`: the maximum number of calls or connections of one daemon at once; 64 by
    /// default, 4 for `smtp`.
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

    /// Returns the keys that a channel of this type may have beside `type`.
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
                "success",
                "errors",
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
                "heloName",
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
    /// Returns the timeouts for a response and for a connection.
    pub(super) fn timeouts(&self) -> (Period, Period) {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        (timeout, self.connect_timeout.unwrap_or(CONNECT_TIMEOUT.min(timeout)))
    }
}
