//! Channels in force.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answers::{AnswerRule, Success};
use super::secret::{MaybeSecret, Secret};
use crate::core::domain::Period;

/// The way messages are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Channel {
    /// Keeps messages in Postgres and sends nothing.
    Sandbox {
        /// The simulated duration of a send.
        latency: Period,
    },
    /// The Cloud API of WhatsApp.
    WhatsappCloud(Box<WhatsappCloud>),
    /// Any gateway that takes one request per message.
    Http(Box<Http>),
    /// A mail server.
    Smtp(Box<Smtp>),
}

/// Numbers on the Cloud API of WhatsApp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatsappCloud {
    /// The number that sends for accounts without a `sender`. With `None` they cannot send.
    pub phone_number_id: Option<String>,
    /// The WhatsApp business account that owns the numbers.
    pub business_account_id: Option<String>,
    pub access_token: Secret,
    /// The secret that signs webhooks. With `None` every webhook is refused.
    pub app_secret: Option<Secret>,
    pub verify_token: Option<Secret>,
    /// The server, without a slash at the end.
    pub base_url: String,
    pub api_version: String,
    /// The time for one call, connection included.
    pub timeout: Period,
    pub connect_timeout: Period,
    /// The maximum number of calls of one daemon at once.
    pub concurrency: u16,
}

/// A gateway and the request that it takes for each message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// A template of the URL.
    pub url: MaybeSecret,
    pub method: HttpMethod,
    /// Headers by name in lower case.
    pub headers: BTreeMap<String, MaybeSecret>,
    pub basic_auth: Option<BasicAuth>,
    /// A template of the body. With `None` the request has no body.
    pub body: Option<String>,
    pub content_type: ContentType,
    pub phone_format: PhoneFormat,
    /// The JSON pointer to the gateway's message id in its response. With `None` the id is not read.
    pub message_id: Option<String>,
    /// The status codes of success; empty means 200 to 299.
    pub success_statuses: BTreeSet<u16>,
    /// The part of the answer that states success, for gateways that refuse with a status of success.
    pub success: Option<Success>,
    /// Rules for answers, the first of which that applies counts. Without one, the status decides.
    pub errors: Vec<AnswerRule>,
    /// The header, in lower case, that carries the message id; the gateway sends each id only once.
    pub idempotency_header: Option<String>,
    /// The gateway drives WhatsApp without Meta's approval, which can get the number banned.
    pub unofficial: bool,
    /// Numbers may be new, so many new people per day increase the risk of a ban.
    pub new_numbers: bool,
    pub timeout: Period,
    pub connect_timeout: Period,
    pub concurrency: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BasicAuth {
    pub username: String,
    pub password: Secret,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    #[default]
    Post,
    Put,
    Get,
}

/// The type of a body, which also decides how values are escaped in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContentType {
    #[default]
    #[serde(rename = "application/json")]
    Json,
    #[serde(rename = "application/x-www-form-urlencoded")]
    Form,
}

impl ContentType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// The format of phone numbers in a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PhoneFormat {
    /// The form `+12133734253`.
    #[default]
    E164,
    /// The form `12133734253`.
    Digits,
    /// The form `12133734253@c.us`.
    Jid,
}

/// A mail server and its sender settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    /// The name by which the client introduces itself. `None` means the name or the address of the machine.
    pub helo_name: Option<String>,
    pub credentials: Option<BasicAuth>,
    /// The sender address of accounts without a `sender`. With `None` they cannot send.
    pub from: Option<String>,
    pub reply_to: Option<String>,
    /// The address for bounces. `None` means the sender.
    pub bounce_address: Option<String>,
    /// A template of the URL for one-click unsubscribe.
    pub unsubscribe_url: Option<String>,
    pub unsubscribe_mailto: Option<String>,
    /// The time for one message on an open connection.
    pub timeout: Period,
    pub connect_timeout: Period,
    /// The maximum number of connections of one daemon at once.
    pub concurrency: u16,
}

/// The variables of an unsubscribe URL.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnsubscribeValues<'a> {
    pub email: &'a str,
    pub message_id: &'a str,
    pub language: &'a str,
    pub account: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Encrypts from the first byte.
    #[default]
    Tls,
    /// Upgrades before anything is sent, and fails if it cannot.
    Starttls,
    None,
}
