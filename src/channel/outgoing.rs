//! HTTP calls to third-party servers: with a deadline, over TLS, without redirects. Addresses and headers may be
//! secrets, so no error contains one.
//!
//! The error of [`Outgoing::exchange`] states if the other side may have read the request. The body of an answer often
//! repeats parts of the request, so a caller that does not need it ignores it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use reqwest::Method;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

/// The longest duration of a call whose caller sets no limit of its own.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// The content type of most bodies.
const JSON: &str = "application/json";

/// The number of bytes of an answer that [`Outgoing::exchange`] reads at most.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;
/// The longest time that a connection is kept for its next call. The server may close an older connection just as a
/// request leaves, and the client could not tell if the request was read.
const IDLE: Duration = Duration::from_secs(15);

/// A client for calls. It is built at the first call, so a process that makes no call needs no certificates.
#[derive(Debug, Clone)]
pub struct Outgoing {
    client: Arc<OnceLock<reqwest::Client>>,
    connect_within: Duration,
}

/// A call whose answer is read.
#[derive(Clone)]
pub struct Call<'a> {
    pub method: Method,
    pub url: &'a str,
    /// The name and password for basic authentication.
    pub credentials: Option<(&'a str, &'a str)>,
    pub headers: &'a [(&'a str, String)],
    /// The content type, such as `application/json`, and the body.
    pub body: Option<(&'a str, &'a str)>,
    /// The time limit of the whole call, from the connection to the end of the answer.
    pub within: Duration,
}

impl<'a> Call<'a> {
    /// Makes a `POST` request with a JSON body.
    pub fn json(url: &'a str, headers: &'a [(&'a str, String)], body: &'a str, within: Duration) -> Self {
        Self { method: Method::POST, url, credentials: None, headers, body: Some((JSON, body)), within }
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("within", &self.within).finish_non_exhaustive()
    }
}

/// The answer of the server.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    headers: HeaderMap,
    /// The first [`MAX_REPLY_BYTES`] bytes of the body.
    pub body: Vec<u8>,
}

impl Reply {
    pub fn new(status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let value = |(name, value): &(&'static str, &str)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
        };
        Self { status, headers: headers.iter().filter_map(value).collect(), body: body.into() }
    }

    /// Returns the status, with its name if it is a known one: `404 Not Found`.
    pub fn status_line(&self) -> String {
        let name = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        name.map_or_else(|| self.status.to_string(), |name| format!("{} {name}", self.status))
    }

    /// Returns the first header of this name, which must be in lower case. Returns `None` if the value is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The reason why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Silence {
    /// Nothing was sent: the address is wrong, or no connection was made.
    #[error("{0}")]
    NotSent(String),
    /// The server may have read the whole request.
    #[error("{0}")]
    Unknown(String),
}

/// The reason why a request could not be built.
#[derive(Debug, Error)]
enum Unfit {
    #[error("the address is not one: write `https://…`")]
    Address,
    #[error("{0}")]
    Call(String),
}

impl Outgoing {
    pub fn new() -> Self {
        Self { client: Arc::default(), connect_within: DEADLINE }
    }

    /// Makes a client that limits connecting to `connect_within`, or to half of the `longest` call if that is shorter.
    /// If connecting used up the time of a call, the client could not tell if anything was sent.
    pub fn calling(connect_within: Duration, longest: Duration) -> Self {
        Self { connect_within: connect_within.min(longest / 2), ..Self::new() }
    }

    /// Makes a call and returns the answer, whatever its status.
    pub async fn exchange(&self, call: &Call<'_>) -> Result<Reply, Silence> {
        let request = self.request(call).map_err(|error| Silence::NotSent(error.to_string()))?;
        let failed = |error: reqwest::Error| {
            // Name resolution, connection and TLS precede the first byte of a request.
            let unsent = error.is_connect() || error.is_builder();
            let text = describe(error, call.within);
            if unsent { Silence::NotSent(text) } else { Silence::Unknown(text) }
        };
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        // The whole request was sent by now, whatever the kind of the error.
        let cut = |error| Silence::Unknown(describe(error, call.within));
        while let Some(chunk) = response.chunk().await.map_err(cut)? {
            let room = MAX_REPLY_BYTES - body.len();
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() == MAX_REPLY_BYTES {
                break;
            }
        }
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    fn request(&self, call: &Call<'_>) -> Result<reqwest::RequestBuilder, Unfit> {
        let url = reqwest::Url::parse(call.url).map_err(|_| Unfit::Address)?;
        let request = self.client()?.request(call.method.clone(), url).timeout(call.within);
        let request = match call.body {
            Some((content_type, body)) => request.header("content-type", content_type).body(body.to_owned()),
            None => request,
        };
        let request = match call.credentials {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        };
        call.headers.iter().try_fold(request, |request, (name, value)| {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| Unfit::Call(format!("the value of the header `{name}` cannot be sent")))?;
            value.set_sensitive(true);
            Ok(request.header(*name, value))
        })
    }

    fn client(&self) -> Result<&reqwest::Client, Unfit> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // The call fails if a provider is already installed, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .connect_timeout(self.connect_within)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("relance/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Unfit::Call(describe(error, DEADLINE)))?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::new()
    }
}

/// Describes an error with all its causes, without the address.
fn describe(error: reqwest::Error, within: Duration) -> String {
    if error.is_timeout() {
        let text = if error.is_connect() { "no connection in time".to_owned() } else { no_answer(within) };
        return text;
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn no_answer(within: Duration) -> String {
    format!("no answer within {} s", within.as_secs_f32())
}
