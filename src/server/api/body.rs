//! JSON bodies of requests.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, OriginalUri, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use sha2::{Digest, Sha256};

use crate::server::problem::{Kind, Problem};

/// The size of the largest body, in bytes.
pub(super) const LARGEST: usize = 256 * 1024;
const KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;
/// The time for a body to arrive.
const WAIT: Duration = Duration::from_secs(10);

/// A body in JSON, of a known type and a bounded size, with the key of its request.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T, pub(super) Option<Key>);

/// The key that a client gives to a request which must take effect once.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) text: String,
    /// The digest of the method, the path and the body.
    pub(super) digest: [u8; 32],
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        if !is_json(&head.headers) {
            return Err(Problem::of(Kind::UnsupportedMediaType));
        }
        let too_large = || Problem::new(Kind::BodyTooLarge, format!("a body has at most {LARGEST} bytes"));
        if length(&head.headers).is_some_and(|length| length > LARGEST) {
            return Err(too_large());
        }
        let arrived = tokio::time::timeout(WAIT, to_bytes(body, LARGEST)).await;
        // A body can only fail by its length, or because the client is gone and reads no answer.
        let bytes = arrived.map_err(|_| Problem::of(Kind::TooSlow))?.map_err(|_| too_large())?;
        let path = head.extensions.get::<OriginalUri>().map_or(head.uri.path(), |uri| uri.path());
        let key = key(&head.headers)?.map(|text| Key { text, digest: digest(&head.method, path, &bytes) });
        Ok(Self(read(&bytes)?, key))
    }
}

/// Returns the key of a request.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get(KEY) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
    let fault =
        || Problem::new(Kind::BadRequest, format!("an Idempotency-Key has 1 to {LONGEST_KEY} ASCII characters"));
    key.map(|key| Some(key.to_owned())).ok_or_else(fault)
}

fn digest(method: &Method, path: &str, body: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(format!("{method} {path}\n")).chain_update(body);
    hash.finalize().into()
}

/// Reads a value. A value of the wrong form is told from text that is not JSON.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.windows(6).any(|text| text == b"\\u0000")
        && serde_json::from_slice(bytes).is_ok_and(|body| has_zero(&body))
    {
        return Err(Problem::body("", "a text cannot have a zero byte"));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => Problem::body("", error.to_string()),
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::new(Kind::BadRequest, format!("the body is not JSON: {error}"))
        }
    })
}

fn has_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(all) => all.iter().any(has_zero),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_zero(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    plain && kind.eq_ignore_ascii_case("application/json")
}

/// Returns the declared length of the body in bytes, if any.
fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use serde::Deserialize;

    use super::read;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        reason: String,
    }

    #[test]
    fn what_is_no_json_is_told_from_what_has_another_form() {
        assert_eq!(read::<Order>(br#"{"reason": "\\u0000"}"#).unwrap().reason, "\\u0000");
        for text in ["", "{", "{\"reason\": }", "reason", "{\"reason\": \"\u{1}\"}", "{\"reason\": \"a\"} x"] {
            assert_eq!(read::<Order>(text.as_bytes()).unwrap_err().status(), StatusCode::BAD_REQUEST, "{text}");
        }
        for text in
            ["null", "[]", "{}", "{\"reason\": 1}", "{\"reason\": \"a\", \"x\": 1}", "{\"reason\": \"\\u0000\"}"]
        {
            assert_eq!(
                read::<Order>(text.as_bytes()).unwrap_err().status(),
                StatusCode::UNPROCESSABLE_ENTITY,
                "{text}"
            );
        }
        assert_eq!(read::<Order>(b"{\"reason\": \"\xff\"}").unwrap_err().status(), StatusCode::BAD_REQUEST);
    }
}
