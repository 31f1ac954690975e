//! Refusals of the API as RFC 9457 problems.
//!
//! A [`Problem`] travels in the extensions of an empty response. The outermost layer of the API renders it, since only
//! that layer knows the id of the request.

mod table;

use std::borrow::Cow;
use std::error::Error;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) use self::table::Kind;
use crate::store;

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";
/// The seconds after which a caller may try again, if nothing better is known.
const SOON: u64 = 2;

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Vec<Fault>,
    retry_after: Option<u64>,
    /// The cause, for the log alone.
    cause: Option<String>,
}

/// A fault of one part of a request.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Fault {
    /// The name of a parameter, or a JSON pointer into the body.
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

/// A problem as RFC 9457 has it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Body {
    /// The address of the description of the type.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    /// The id of the request, by which the log of the server knows it.
    instance: String,
    /// The last part of `type`.
    code: String,
    /// The faults of parts of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), retry_after: None, cause: None }
    }

    /// Returns a problem without more to say than its type does.
    pub(crate) fn of(kind: Kind) -> Self {
        Self::new(kind, kind.description().title)
    }

    pub(crate) fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(Fault { pointer: pointer.into(), detail: detail.into() });
        self
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Returns the refusal of a value of a parameter.
    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(Kind::InvalidParameter, format!("`{name}`: {detail}")).at(name, detail)
    }

    /// Returns the refusal of a value in a body.
    pub(crate) fn body(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let place = if pointer.is_empty() { "the body" } else { pointer };
        Self::new(Kind::InvalidBody, format!("{place}: {detail}")).at(pointer, detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.kind.description().status
    }

    /// Returns the line that the log gets beside the id of the request.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Renders the problem for the request with this id.
    pub(crate) fn render(self, instance: &str) -> Response {
        let description = self.kind.description();
        let body = Body {
            kind: format!("/problems/{}", description.slug),
            title: description.title.to_owned(),
            status: description.status.as_u16(),
            detail: self.detail.into_owned(),
            instance: instance.to_owned(),
            code: description.slug.to_owned(),
            errors: self.errors,
        };
        let mut response = (description.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.kind == Kind::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.kind, Kind::TooManyRequests | Kind::Busy) {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after.unwrap_or(SOON)));
        }
        response
    }
}

impl From<store::Error> for Problem {
    /// A caller learns nothing of the database but that it cannot answer now.
    fn from(error: store::Error) -> Self {
        let kind = if error.is_transient() { Kind::Busy } else { Kind::Internal };
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        Self { cause: Some(format!("{error}{source}")), ..Self::of(kind) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
