//! `kind: Channel` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::desired::{Channel, WhatsappCloud};
use super::document::Document;
use super::formats;
use super::secret::Secret;
use super::yaml::Node;
use crate::diagnostic::{Code, Diagnostic};
use crate::domain::Period;

/// The server of the Cloud API.
const BASE_URL: &str = "https://graph.facebook.com";
/// The newest version when this was written; each is served for about two years.
const API_VERSION: &str = "v26.0";
const TIMEOUT: Period = Period::seconds(10);
/// A call and what is done around it must be over when nobody waits for the channel any more.
const MAX_TIMEOUT: Period = Period::seconds(15);
const CONNECT_TIMEOUT: Period = Period::seconds(5);
const CONCURRENCY: u16 = 64;

/// How messages leave.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ChannelSpec {
    /// `sandbox` keeps messages in Postgres and sends nothing; `whatsapp-cloud` is the Cloud API of Meta.
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
    /// `whatsapp-cloud`: how long to wait for an answer, 15s at most; 10s when left out.
    timeout: Option<Period>,
    /// `whatsapp-cloud`: how long to wait for a connection; 5s when left out.
    connect_timeout: Option<Period>,
    /// `whatsapp-cloud`: calls that a daemon makes at once; 64 when left out.
    #[schemars(range(min = 1, max = 1000))]
    concurrency: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ChannelType {
    Sandbox,
    WhatsappCloud,
}

impl ChannelType {
    const ALL: [Self; 2] = [Self::Sandbox, Self::WhatsappCloud];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::WhatsappCloud => "whatsapp-cloud",
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
        }
    }
}

impl ChannelSpec {
    pub(super) fn check(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        self.foreign_keys(document, found);
        if self.kind != ChannelType::WhatsappCloud {
            return;
        }
        let mut say = |code, key: &str, message: String, help: &str| {
            let place = document.place(&format!("/spec/{key}"));
            found.push(Diagnostic::new(code, place, message).help(help));
        };
        if self.access_token.is_none() {
            let help = "add `accessToken: {fromEnv: NAME}` or `{fromFile: PATH}`";
            say(Code::MissingKey, "accessToken", "a `whatsapp-cloud` channel has no `accessToken`".to_owned(), help);
        }
        for (key, id) in [("phoneNumberId", &self.phone_number_id), ("businessAccountId", &self.business_account_id)] {
            if let Some(id) = id.as_ref().filter(|id| !is_id(id)) {
                let message = format!("`{id}` is not an id of Meta's, which is all digits");
                let help = "copy it from WhatsApp Manager; the id of a number is not the number";
                say(Code::InvalidValue, key, message, help);
            }
        }
        if let Some(version) = self.api_version.as_ref().filter(|version| !is_version(version)) {
            let message = format!("`{version}` is not a version of the API");
            say(Code::InvalidValue, "apiVersion", message, &format!("write it as Meta does, as in `{API_VERSION}`"));
        }
        if let Some(url) = self.base_url.as_ref().filter(|url| !is_safe(url)) {
            let message = format!("the access token would go to `{url}` for everybody on the way to read");
            say(Code::InvalidValue, "baseUrl", message, "write `https://…`; only this machine itself goes without");
        }
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        if timeout.is_zero() || timeout > MAX_TIMEOUT {
            let help = "whatever has not answered by then is uncertain, and waits for a receipt";
            say(Code::OutOfRange, "timeout", format!("`timeout` must be 1s at least and {MAX_TIMEOUT} at most"), help);
        } else if self.connect_timeout.is_some_and(|connect| connect.is_zero() || connect > timeout) {
            let message = format!("`connectTimeout` must be 1s at least and no longer than `timeout`, {timeout}");
            say(Code::OutOfRange, "connectTimeout", message, "what was never connected is tried again by itself");
        }
    }

    /// Says of keys that belong to another type.
    fn foreign_keys(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        let written = document.node("/spec").map(Node::entries).unwrap_or_default();
        for (key, _) in written {
            let name = key.name.as_str();
            let Some(owner) = ChannelType::ALL.into_iter().find(|kind| kind.keys().contains(&name)) else { continue };
            if !self.kind.keys().contains(&name) {
                let (own, other) = (self.kind.as_str(), owner.as_str());
                let place = document.key_place(&format!("/spec/{name}"));
                found.push(
                    Diagnostic::new(Code::UnknownKey, place, format!("`{name}` means nothing to `{own}`"))
                        .help(format!("remove it; it belongs to channels of `type: {other}`")),
                );
            }
        }
    }

    /// `None` when something is missing; it was reported.
    pub(super) fn resolve(&self) -> Option<Channel> {
        match self.kind {
            ChannelType::Sandbox => Some(Channel::Sandbox { latency: self.latency.unwrap_or(Period::ZERO) }),
            ChannelType::WhatsappCloud => {
                let timeout = self.timeout.unwrap_or(TIMEOUT);
                let url = self.base_url.as_deref().unwrap_or(BASE_URL);
                Some(Channel::WhatsappCloud(Box::new(WhatsappCloud {
                    phone_number_id: self.phone_number_id.clone(),
                    business_account_id: self.business_account_id.clone(),
                    access_token: self.access_token.clone()?,
                    app_secret: self.app_secret.clone(),
                    verify_token: self.verify_token.clone(),
                    base_url: url.trim_end_matches('/').to_owned(),
                    api_version: self.api_version.as_deref().unwrap_or(API_VERSION).to_owned(),
                    timeout,
                    connect_timeout: self.connect_timeout.unwrap_or(CONNECT_TIMEOUT.min(timeout)),
                    concurrency: self.concurrency.unwrap_or(CONCURRENCY),
                })))
            }
        }
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `v26.0`.
fn is_version(text: &str) -> bool {
    let parts = text.strip_prefix('v').and_then(|numbers| numbers.split_once('.'));
    parts.is_some_and(|(major, minor)| is_id(major) && is_id(minor))
}

/// Whether nobody on the way can read what goes there. What is no address at all is not said twice.
fn is_safe(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return true };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    ["127.0.0.1", "[::1]", "localhost"].contains(&host)
}

#[cfg(test)]
mod tests {
    use super::{ChannelType, is_safe, is_version};

    #[test]
    fn only_this_machine_goes_without_tls() {
        for url in ["https://graph.facebook.com", "http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8080"] {
            assert!(is_safe(url), "{url}");
        }
        for url in ["http://graph.facebook.com", "http://127.0.0.1@evil.example", "http://localhost.evil.example:80"] {
            assert!(!is_safe(url), "{url}");
        }
    }

    #[test]
    fn versions_are_those_of_meta() {
        assert!(is_version("v26.0") && is_version("v100.1"));
        for text in ["26.0", "v26", "v26.", "v.0", "v26.0/", "v2a.0", ""] {
            assert!(!is_version(text), "{text}");
        }
    }

    #[test]
    fn a_key_belongs_to_one_type_only() {
        let all: Vec<_> = ChannelType::ALL.iter().flat_map(|kind| kind.keys()).collect();
        assert!(all.iter().enumerate().all(|(place, key)| !all[place + 1..].contains(key)));
    }
}
