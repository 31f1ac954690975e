//! Literal secrets in the request of an `http` channel: in headers, in the address and in the body.

use std::ops::Range;

use serde_json::Value;

use super::report::Report;
use super::spec::ChannelSpec;
use crate::core::diagnostic::Code;
use crate::core::manifest::desired::MaybeSecret;

/// Parts of names that mark a value as a secret, because it grants access. Names are folded: without `-`, `_` and case.
const LETS_IN: [&str; 14] = [
    "authorization",
    "authtoken",
    "token",
    "apikey",
    "secret",
    "passw",
    "passphrase",
    "passcode",
    "pwd",
    "cookie",
    "credential",
    "privatekey",
    "accesskey",
    "hmac",
];
/// Whole names with the same meaning.
const WHOLE: [&str; 8] = ["key", "auth", "pass", "pin", "xauth", "xkey", "xpass", "appkey"];
/// Beginnings of values that are credentials, whatever their name: schemes of `Authorization`, and those of well-known
/// providers.
const CREDENTIALS: [&str; 17] = [
    "Bearer ", "Basic ", "Digest ", "Token ", "ApiKey ", "App ", "Key ", "eyJ", "EAA", "sk_", "sk-", "pk_", "ghp_",
    "xox", "SG.", "AKIA", "AIza",
];
/// Addresses that let everybody in who knows their path.
const PATHS: [&str; 3] = ["hooks.slack.com/services/", "discord.com/api/webhooks/", "api.telegram.org/bot"];

/// Returns true if a value of this name grants access.
fn lets_in(name: &str) -> bool {
    let name: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let is_kind = ["type", "count", "limit", "tokens"].iter().any(|end| name.ends_with(end));
    !is_kind && (WHOLE.contains(&&*name) || LETS_IN.iter().any(|word| name.contains(word)))
}

/// Returns true if the value of a header is a secret.
pub(super) fn is_secret_header(name: &str, value: &str) -> bool {
    lets_in(name) || CREDENTIALS.iter().any(|start| value.starts_with(start))
}

/// Reports literal secrets in `url` and `body`.
pub(super) fn check(spec: &ChannelSpec, report: &mut Report<'_, '_>) {
    if let Some(url) = spec.url.as_ref().and_then(MaybeSecret::plain)
        && let Some((name, range)) = in_url(url)
    {
        let help = "give the whole address by `{fromEnv: NAME}`, or send the secret in a header by `{fromEnv: NAME}`";
        say(report, "url", &name, range, help);
    }
    if let Some(body) = &spec.body
        && let Some((name, range)) = in_json(body).or_else(|| in_pairs(body))
    {
        let help =
            "send it in a header by `{fromEnv: NAME}`, or in the query of a `url` that is given by `{fromEnv: NAME}`";
        say(report, "body", &name, range, help);
    }
}

/// Reports a secret without repeating it.
fn say(report: &mut Report<'_, '_>, key: &str, name: &str, range: Range<usize>, help: &str) {
    let message = format!("`{name}` in `{key}` is a secret, and a manifest never holds one");
    report.say_of_part(Code::LiteralSecret, key, Some(range), message, Some(help.to_owned()));
}

/// Finds a literal secret in the query or the path of an address.
fn in_url(url: &str) -> Option<(String, Range<usize>)> {
    let of_path = PATHS.iter().find_map(|path| {
        let at = url.find(path)? + path.len();
        (at < url.len() && !url[at..].starts_with("{{")).then(|| ("the path".to_owned(), at..url.len()))
    });
    let from = url.find('?')? + 1;
    in_pairs(&url[from..]).map(|(name, range)| (name, from + range.start..from + range.end)).or(of_path)
}

/// Finds a literal secret among pairs such as `name=value&name=value`.
fn in_pairs(text: &str) -> Option<(String, Range<usize>)> {
    let mut at = 0;
    for pair in text.split_inclusive(['&', ';', '#', '\n']) {
        let from = at;
        at += pair.len();
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.trim_end_matches(['&', ';', '#', '\n']);
        let is_name =
            !name.trim().is_empty() && name.trim().chars().all(|c| c.is_alphanumeric() || "-_.[]".contains(c));
        if is_name && is_literal(value) && lets_in(name) {
            let start = from + name.len() + 1;
            return Some((name.trim().to_owned(), start..start + value.len()));
        }
    }
    None
}

/// Finds a literal secret in a JSON template: a name in quotes whose value begins with other than a variable.
fn in_json(text: &str) -> Option<(String, Range<usize>)> {
    let mut rest = 0;
    while let Some(colon) = text[rest..].find(':').map(|at| rest + at) {
        rest = colon + 1;
        let Some(name) = name_before(&text[..colon]) else { continue };
        let value = text[rest..].trim_start();
        let start = text.len() - value.len();
        let length = match value.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(value.len(), |end| end + 2),
            None => value.find([',', '}', ']', '\n']).unwrap_or(value.len()),
        };
        let inner = value[..length].trim().trim_matches('"');
        let is_plain = serde_json::from_str::<Value>(value[..length].trim())
            .is_ok_and(|value| value.is_string() || value.is_number());
        if is_plain && is_literal(inner) && lets_in(&name) {
            return Some((name, start..start + length));
        }
    }
    None
}

/// Returns the text in quotes at the end.
fn name_before(text: &str) -> Option<String> {
    let text = text.trim_end().strip_suffix('"')?;
    text.rsplit_once('"').map(|(_, name)| name.to_owned())
}

/// Returns true if the value is written out, not put in.
fn is_literal(value: &str) -> bool {
    !value.trim().is_empty() && !value.contains("{{") && !value.contains("{%")
}

#[cfg(test)]
mod tests {
    use super::{in_json, in_pairs, in_url, is_secret_header};

    #[test]
    fn secrets_in_addresses_are_found_and_nothing_else() {
        let found = |url: &str| in_url(url).map(|(name, range)| (name, url[range].to_owned()));
        let is = |url: &str, name: &str, secret: &str| {
            assert_eq!(found(url), Some((name.to_owned(), secret.to_owned())), "{url}");
        };
        is("https://example.com/send?token=LITERAL5&to={{ phone }}", "token", "LITERAL5");
        is("https://example.com/send?to={{ phone }}&access_token=L22#x", "access_token", "L22");
        is("https://example.com/send?user=a&api-key=L1", "api-key", "L1");
        is("https://example.com/send?Password=L1&x=2", "Password", "L1");
        is("https://example.com/send?key=L1;to=2", "key", "L1");
        for fine in [
            "https://example.com/send?to={{ phone }}&type=text",
            "https://example.com/send?token={{ sender }}",
            "https://example.com/token/send",
            "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json",
            "http://waha:3000/api/sendText?token_type=plain&token=",
        ] {
            assert_eq!(found(fine), None, "{fine}");
        }
    }

    #[test]
    fn secrets_in_bodies_are_found_and_nothing_else() {
        let found =
            |body: &str| in_json(body).or_else(|| in_pairs(body)).map(|(name, range)| (name, body[range].to_owned()));
        let is = |body: &str, name: &str, secret: &str| {
            assert_eq!(found(body), Some((name.to_owned(), secret.to_owned())), "{body}");
        };
        is(r#"{"n": {{ phone }}, "apikey": "LITERAL10"}"#, "apikey", "\"LITERAL10\"");
        is("{\n  \"auth\" : {\"api_secret\": 12345},\n \"t\": {{ text }}}", "api_secret", "12345");
        is("to={{ phone }}&password=L1&text={{ text }}", "password", "L1");
        for fine in [
            r#"{"session": "default", "chatId": {{ phone }}, "text": {{ text }}}"#,
            r#"{"token": {{ sender }}, "maxTokens": 3, "keyword": "a", "author": "b"}"#,
            r#"{"messages": [{"key": {"id": {{ messageId }}}}]}"#,
            "username=relance&to={{ phone }}&message={{ text }}",
        ] {
            assert_eq!(found(fine), None, "{fine}");
        }
    }

    #[test]
    fn odd_headers_hold_secrets_too() {
        for (name, value) in [
            ("X-Auth", "LITERAL13"),
            ("x-api-key", "a"),
            ("X-GATEWAY-TOKEN", "a"),
            ("Key", "a"),
            ("X-Custom", "Bearer abc"),
            ("X-Custom", "Basic dTpw"),
            ("X-Custom", "eyJhbGciOi"),
            ("Session-Cookie", "a"),
        ] {
            assert!(is_secret_header(name, value), "{name}: {value}");
        }
        for (name, value) in
            [("X-Source", "relance"), ("Accept", "application/json"), ("X-Author", "Ana"), ("X-Keyword", "k")]
        {
            assert!(!is_secret_header(name, value), "{name}: {value}");
        }
    }
}
