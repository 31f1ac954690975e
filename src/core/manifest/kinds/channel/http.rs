//! Checks and resolves channels of `type: http`.

use std::collections::{BTreeMap, BTreeSet};

use super::answers;
use super::literal_secrets;
use super::literal_secrets::is_secret_header;
use super::report::Report;
use super::spec::{CONCURRENCY, ChannelSpec};
use crate::core::diagnostic::{Code, did_you_mean};
use crate::core::manifest::desired::{
    Channel, ContentType, Http, HttpMethod, MaybeSecret, MediumValues, RequestValues, address,
};
use crate::core::template::{Escape, RequestTemplate};

/// The variables of a request.
const VARIABLES: [&str; 8] = ["phone", "text", "messageId", "sender", "language", "day", "account", "media"];

/// Headers that the HTTP client sets itself.
const OURS: [&str; 5] = ["content-type", "content-length", "host", "transfer-encoding", "connection"];

pub(super) fn check(spec: &ChannelSpec, report: &mut Report<'_, '_>) {
    check_url(spec, report);
    check_body(spec, report);
    check_headers(spec, report);
    literal_secrets::check(spec, report);
    answers::check(spec, report);
}

/// Resolves the channel; returns `None` when a required key is missing, which `check` reports.
pub(super) fn resolve(spec: &ChannelSpec) -> Option<Channel> {
    let (timeout, connect_timeout) = spec.timeouts();
    let headers = spec.headers.iter().flatten();
    Some(Channel::Http(Box::new(Http {
        url: spec.url.clone()?,
        method: spec.method.unwrap_or_default(),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect(),
        basic_auth: spec.basic_auth.clone(),
        body: spec.body.clone(),
        content_type: spec.content_type.unwrap_or_default(),
        phone_format: spec.phone_format.unwrap_or_default(),
        message_id: spec.message_id.clone(),
        success_statuses: spec.success_statuses.iter().flatten().copied().collect(),
        success: spec.success.clone(),
        errors: spec.errors.clone().unwrap_or_default(),
        idempotency_header: spec.idempotency_header.as_ref().map(|name| name.to_ascii_lowercase()),
        unofficial: spec.unofficial.unwrap_or(true),
        new_numbers: spec.new_numbers.unwrap_or(true),
        timeout,
        connect_timeout,
        concurrency: spec.concurrency.unwrap_or(CONCURRENCY),
    })))
}

fn check_url(spec: &ChannelSpec, report: &mut Report<'_, '_>) {
    let Some(url) = &spec.url else {
        let help = "add `url: https://…`, or `url: {fromEnv: NAME}` if knowing it lets one in";
        report.say(Code::MissingKey, "url", "an `http` channel has no `url`", help);
        return;
    };
    let Some(url) = url.plain() else { return };
    let is_web = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    if !is_web || address::authority(url).is_empty() || url.contains(char::is_control) {
        report.say(Code::InvalidValue, "url", "`url` is not an address", "write `https://…`");
    } else if address::authority(url).contains('@') {
        let message = "whatever lets one in is a secret, and a manifest never holds one";
        report.say(
            Code::LiteralSecret,
            "url",
            message,
            "use `basicAuth`, or give the whole address by `{fromEnv: NAME}`",
        );
    } else if address::authority(url).contains('{') {
        let help = "variables belong behind the host; give each host a channel of its own";
        report.say(Code::InvalidValue, "url", "the host of `url` depends on the message", help);
    } else if !address::is_near_or_tls(url) {
        let host = address::authority(url);
        let message = format!("phones and texts would go to `{host}` for everybody on the way to read");
        let help = "write `https://…`; only a private address or a name without a dot goes without";
        report.say(Code::InvalidValue, "url", message, help);
    } else {
        rendered(report, "url", url, Escape::Percent);
    }
}

fn check_body(spec: &ChannelSpec, report: &mut Report<'_, '_>) {
    let is_get = spec.method == Some(HttpMethod::Get);
    match &spec.body {
        Some(_) if is_get => {
            let help = "remove it, or use `method: POST`; what a GET says stands in its `url`";
            report.say_of_key(Code::UnknownKey, "body", "a request with `method: GET` has no `body`", help);
        }
        Some(body) => {
            let content_type = spec.content_type.unwrap_or_default();
            let texts = rendered(report, "body", body, content_type.escape());
            let broken = texts.iter().find_map(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).err());
            if let (ContentType::Json, Some(error)) = (content_type, broken) {
                let message = format!("with values put in, `body` is not JSON: {error}");
                let help = "values come with their quotes: write `{\"text\": {{ text }}}`, and join texts with `~`";
                report.say_of_key(Code::InvalidValue, "body", message, help);
            }
        }
        None if !is_get => {
            let help = "add it, as in `body: '{\"to\": {{ phone }}, \"text\": {{ text }}}'`";
            report.say(Code::MissingKey, "body", "an `http` channel has no `body`", help);
        }
        None => {}
    }
}

/// Renders the template for sample messages with and without media, and reports its mistakes.
fn rendered(report: &mut Report<'_, '_>, key: &str, source: &str, escape: Escape) -> Vec<String> {
    let template = match RequestTemplate::compile(source, escape) {
        Ok(template) => template,
        Err(problem) => {
            report.say_of_part(Code::TemplateSyntax, key, problem.range, problem.message, None);
            return Vec::new();
        }
    };
    let mut texts = Vec::new();
    for sample in samples() {
        match template.render(sample) {
            Ok(text) => texts.push(text),
            Err(error) => {
                let used = error.range.clone().and_then(|range| source.get(range)).unwrap_or_default();
                let help = did_you_mean(used, VARIABLES)
                    .unwrap_or_else(|| format!("a request may use `{}`", VARIABLES.join("`, `")));
                let is_name = !used.is_empty() && used.chars().all(|one| one.is_alphanumeric() || one == '_');
                let (code, message) = if is_name && !VARIABLES.contains(&used) {
                    (Code::UnknownVariable, format!("there is no variable `{used}`"))
                } else {
                    (Code::TemplateFails, error.to_string())
                };
                report.say_of_part(code, key, error.range, message, Some(help));
                return Vec::new();
            }
        }
    }
    texts
}

/// Returns sample messages whose texts break any template that does not escape them.
fn samples() -> [RequestValues<'static>; 2] {
    let media = MediumValues { kind: "image", url: "https://example.com/a.png?b=\"c\"", caption: Some("\"\\\n") };
    let with_media = RequestValues {
        phone: "+12133734253",
        text: "\"Bonjour\"\n\\ {} [] ,: é 🙂",
        message_id: "relance.1.2.3.4",
        sender: Some("sender"),
        language: "fr",
        day: 1,
        account: 1,
        media: vec![MediumValues { caption: None, ..media.clone() }, media],
    };
    [RequestValues { media: Vec::new(), ..with_media.clone() }, with_media]
}

fn check_headers(spec: &ChannelSpec, report: &mut Report<'_, '_>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let idempotency = spec.idempotency_header.as_deref().map(|name| ("idempotencyHeader".to_owned(), name, None));
    let written = spec.headers.iter().flatten();
    let written = written.map(|(name, value)| (format!("headers/{name}"), name.as_str(), Some(value)));
    let mut taken: BTreeSet<&str> = OURS.into_iter().collect();
    if spec.basic_auth.is_some() {
        taken.insert("authorization");
    }
    for (key, name, value) in written.chain(idempotency) {
        let folded = name.to_ascii_lowercase();
        if !is_token(name) {
            let help = "letters, digits and hyphens make a name";
            report.say_of_key(Code::InvalidValue, &key, format!("`{name}` is not the name of a header"), help);
        } else if taken.contains(&*folded) {
            let help = "remove it; `contentType` and `basicAuth` say what can be said of it";
            report.say_of_key(Code::InvalidValue, &key, format!("the header `{name}` is already sent"), help);
        } else if let Some(first) = seen.insert(folded.clone(), name) {
            let message = format!("`{first}` and `{name}` are the same header");
            report.say_of_key(Code::DuplicateKey, &key, message, "remove one of them");
        }
        let Some(MaybeSecret::Plain(value)) = value else { continue };
        if is_secret_header(name, value) {
            let message = format!("`{name}` is a secret, and a manifest never holds one");
            let help = "write `{fromEnv: NAME}` or `{fromFile: PATH}`, and put the secret there";
            report.say(Code::LiteralSecret, &key, message, help);
        } else if !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            let message = format!("the value of the header `{name}` cannot be sent");
            report.say(Code::InvalidValue, &key, message, "use printable ASCII on one line");
        }
    }
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
