//! Checks and resolves channels of `type: whatsapp-cloud`.

use super::report::Report;
use super::spec::{CONCURRENCY, ChannelSpec};
use crate::core::diagnostic::Code;
use crate::core::manifest::desired::{Channel, WhatsappCloud, address};

/// The default server of the Cloud API.
const BASE_URL: &str = "https://graph.facebook.com";
/// The default API version. Meta supports each version for about two years.
const API_VERSION: &str = "v26.0";

pub(super) fn check(spec: &ChannelSpec, report: &mut Report<'_, '_>) {
    if spec.access_token.is_none() {
        let help = "add `accessToken: {fromEnv: NAME}` or `{fromFile: PATH}`";
        report.say(Code::MissingKey, "accessToken", "a `whatsapp-cloud` channel has no `accessToken`", help);
    }
    for (key, id) in [("phoneNumberId", &spec.phone_number_id), ("businessAccountId", &spec.business_account_id)] {
        if let Some(id) = id.as_ref().filter(|id| !is_id(id)) {
            let message = format!("`{id}` is not an id of Meta's, which is all digits");
            let help = "copy it from WhatsApp Manager; the id of a number is not the number";
            report.say(Code::InvalidValue, key, message, help);
        }
    }
    if let Some(version) = spec.api_version.as_ref().filter(|version| !is_version(version)) {
        let message = format!("`{version}` is not a version of the API");
        report.say(Code::InvalidValue, "apiVersion", message, &format!("write it as Meta does, as in `{API_VERSION}`"));
    }
    if let Some(url) = spec.base_url.as_ref().filter(|url| !address::is_loopback_or_tls(url)) {
        let message = format!("the access token would go to `{url}` for everybody on the way to read");
        report.say(Code::InvalidValue, "baseUrl", message, "write `https://…`; only this machine itself goes without");
    }
}

/// Resolves the channel; returns `None` when a required key is missing, which `check` reports.
pub(super) fn resolve(spec: &ChannelSpec) -> Option<Channel> {
    let url = spec.base_url.as_deref().unwrap_or(BASE_URL);
    let (timeout, connect_timeout) = spec.timeouts();
    Some(Channel::WhatsappCloud(Box::new(WhatsappCloud {
        phone_number_id: spec.phone_number_id.clone(),
        business_account_id: spec.business_account_id.clone(),
        access_token: spec.access_token.clone()?,
        app_secret: spec.app_secret.clone(),
        verify_token: spec.verify_token.clone(),
        base_url: url.trim_end_matches('/').to_owned(),
        api_version: spec.api_version.as_deref().unwrap_or(API_VERSION).to_owned(),
        timeout,
        connect_timeout,
        concurrency: spec.concurrency.unwrap_or(CONCURRENCY),
    })))
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns true if the text has the form `v26.0`.
fn is_version(text: &str) -> bool {
    let parts = text.strip_prefix('v').and_then(|numbers| numbers.split_once('.'));
    parts.is_some_and(|(major, minor)| is_id(major) && is_id(minor))
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn graph_api_versions_are_validated() {
        assert!(is_version("v26.0") && is_version("v100.1"));
        for text in ["26.0", "v26", "v26.", "v.0", "v26.0/", "v2a.0", ""] {
            assert!(!is_version(text), "{text}");
        }
    }
}
