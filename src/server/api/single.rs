//! Single resources, with an entity tag.

use axum::Json;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::server::problem::{Kind, Problem};

/// Answers with `resource`, or with 304 if the client has it in this state.
pub(super) fn single(headers: &HeaderMap, resource: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_vec(resource).map_err(|_| Problem::of(Kind::Internal))?;
    // The tag is weak, because the same state may leave compressed.
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..12]));
    let is_known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').map(str::trim).any(|known| known == "*" || weak(known) == weak(&tag)));
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { Json(resource).into_response() };
    let tag = HeaderValue::try_from(tag).map_err(|_| Problem::of(Kind::Internal))?;
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}

/// Returns the tag without the mark of weakness: comparisons here are weak.
fn weak(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}
