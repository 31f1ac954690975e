//! Channels in force.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::{MaybeSecret, Secret};
use crate::core::domain::Period;

/// How messages leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Channel {
    /// Keeps messages in Postgres and sends nothing.
    Sandbox {
        /// How long a hand-over takes.
        latency: Period,
    },
    /// The Cloud API of WhatsApp.
    WhatsappCloud(Box<WhatsappCloud>),
    /// Any gateway that takes a request for each message.
    Http(Box<Http>),
    /// A mail server.
    Smtp(Box<Smtp>),
}

/// Numbers at the Cloud API of WhatsApp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatsappCloud {
    /// Sends for accounts that have no `sender`. `None`: they cannot send.
    pub phone_number_id: Option<String>,
    /// What the numbers belong to.
    pub business_account_id: Option<String>,
    pub access_token: Secret,
    /// Signs webhooks. `None`: none is believed.
    pub app_secret: Option<Secret>,
    pub verify_token: Option<Secret>,
    /// Without a slash at its end.
    pub base_url: String,
    pub api_version: String,
    /// For one call, the connection included.
    pub timeout: Period,
    pub connect_timeout: Period,
    /// Calls of one daemon at once.
    pub concurrency: u16,
}

/// A gateway, and the request that it wants for each message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// A template.
    pub url: MaybeSecret,
    pub method: HttpMethod,
    /// By name in lower case.
    pub headers: BTreeMap<String, MaybeSecret>,
    pub basic_auth: Option<BasicAuth>,
    /// A template. `None`: the request has no body.
    pub body: Option<String>,
    pub content_type: ContentType,
    pub phone_format: PhoneFormat,
    /// Where the gateway's id of the message stands in its answer. `None`: it is not asked for.
    pub message_id: Option<String>,
    /// Empty: 200 to 299.
    pub success_statuses: BTreeSet<u16>,
    /// Carries our id of the message, of which the gateway takes one only. In lower case.
    pub idempotency_header: Option<String>,
    /// Its use risks the number.
    pub unofficial: bool,
    /// Its numbers may be new, so that many new people a day are a risk.
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

/// What a body is, and with it how what is put into it is escaped.
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

/// How a gateway wants phones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PhoneFormat {
    /// `+12133734253`.
    #[default]
    E164,
    /// `12133734253`.
    Digits,
    /// `12133734253@c.us`.
    Jid,
}

/// A mail server, and in whose name it sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    pub credentials: Option<BasicAuth>,
    /// For accounts that have no `sender`. `None`: they cannot send.
    pub from: Option<String>,
    pub reply_to: Option<String>,
    /// Where bounces go. `None`: to whoever sends.
    pub bounce_address: Option<String>,
    /// A template.
    pub unsubscribe_url: Option<String>,
    pub unsubscribe_mailto: Option<String>,
    /// For one message once there is a connection.
    pub timeout: Period,
    pub connect_timeout: Period,
    /// Connections of one daemon at once.
    pub concurrency: u16,
}

/// Whom an address to unsubscribe at may speak of.
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
    /// From the first byte.
    #[default]
    Tls,
    /// Before anything is said, or nothing is.
    Starttls,
    None,
}
