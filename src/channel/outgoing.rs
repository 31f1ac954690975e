//! Calls to other people's servers: with a deadline, over TLS, never following a redirect. Addresses and headers may be
//! secrets, so no error names one.
//!
//! Who only wants something taken posts it, and nothing is kept of the answer, which often names what was asked for.
//! Who lives by the answer exchanges, and is told of every failure whether the other side can have read anything.

use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use reqwest::Method;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

/// The longest a call may take.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// What most bodies are.
const JSON: &str = "application/json";

/// What is read of an answer that somebody wants to read.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;
/// A connection that waits longer for its next call may be closed from the other side just as the call leaves, and nobody
/// would know whether it was read.
const IDLE: Duration = Duration::from_secs(15);

/// Calls out. Made ready at the first call: whoever makes none needs no certificates.
#[derive(Debug, Clone)]
pub struct Outgoing {
    client: Arc<OnceLock<reqwest::Client>>,
    connect_within: Duration,
}

/// A call whose answer counts.
#[derive(Clone)]
pub struct Call<'a> {
    pub method: Method,
    pub url: &'a str,
    /// A name and a password that let one in.
    pub credentials: Option<(&'a str, &'a str)>,
    pub headers: &'a [(&'a str, String)],
    /// With what it is: `application/json`.
    pub body: Option<(&'a str, &'a str)>,
    /// For all of it, from the connection to the end of the answer.
    pub within: Duration,
}

impl<'a> Call<'a> {
    /// Posts JSON.
    pub fn json(url: &'a str, headers: &'a [(&'a str, String)], body: &'a str, within: Duration) -> Self {
        Self { method: Method::POST, url, credentials: None, headers, body: Some((JSON, body)), within }
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("within", &self.within).finish_non_exhaustive()
    }
}

/// What the other side said.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    headers: HeaderMap,
    /// Up to [`MAX_REPLY_BYTES`] of it.
    pub body: Vec<u8>,
}

impl Reply {
    pub fn new(status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let value = |(name, value): &(&'static str, &str)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
        };
        Self { status, headers: headers.iter().filter_map(value).collect(), body: body.into() }
    }

    /// The first header of this name, written in lower case, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Silence {
    /// Nothing left: no address, no connection.
    #[error("{0}")]
    NotSent(String),
    /// The other side may have read all of it.
    #[error("{0}")]
    Unknown(String),
}

/// Why a call came to nothing, as far as is known.
#[derive(Debug, Error)]
pub enum Error {
    #[error("the address is not one: write `https://…`")]
    Address,
    #[error("{0}")]
    Call(String),
}

/// What the other side said, in no words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer(StatusCode);

impl Answer {
    /// It took what it was told.
    pub fn is_success(self) -> bool {
        self.0.is_success()
    }
}

/// The status, with its name if it is a known one: `404 Not Found`.
impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_u16())?;
        self.0.canonical_reason().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

impl Outgoing {
    pub fn new() -> Self {
        Self { client: Arc::default(), connect_within: DEADLINE }
    }

    /// Gives up on connections that are not there after so long, or after half of the `longest` call: when its time is up
    /// nobody could tell whether anything was sent.
    pub fn calling(connect_within: Duration, longest: Duration) -> Self {
        Self { connect_within: connect_within.min(longest / 2), ..Self::new() }
    }

    /// Posts JSON with these headers and waits for the answer.
    pub async fn post_json(&self, url: &str, headers: &[(&str, String)], body: String) -> Result<Answer, Error> {
        let call = Call::json(url, headers, &body, DEADLINE);
        let request = self.request(&call)?;
        Ok(Answer(request.send().await.map_err(|error| Error::Call(said(error, DEADLINE)))?.status()))
    }

    /// Makes a call and brings the answer, whatever its status.
    pub async fn exchange(&self, call: &Call<'_>) -> Result<Reply, Silence> {
        let request = self.request(call).map_err(|error| Silence::NotSent(error.to_string()))?;
        let failed = |error: reqwest::Error| {
            // Name, connection and TLS come before the first byte of a request.
            let unsent = error.is_connect() || error.is_builder();
            let text = said(error, call.within);
            if unsent { Silence::NotSent(text) } else { Silence::Unknown(text) }
        };
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        // By now all of it was sent, whatever the error looks like.
        let cut = |error| Silence::Unknown(said(error, call.within));
        while let Some(chunk) = response.chunk().await.map_err(cut)? {
            let room = MAX_REPLY_BYTES - body.len();
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() == MAX_REPLY_BYTES {
                break;
            }
        }
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    fn request(&self, call: &Call<'_>) -> Result<reqwest::RequestBuilder, Error> {
        let url = reqwest::Url::parse(call.url).map_err(|_| Error::Address)?;
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
                .map_err(|_| Error::Call(format!("the value of the header `{name}` cannot be sent")))?;
            value.set_sensitive(true);
            Ok(request.header(*name, value))
        })
    }

    fn client(&self) -> Result<&reqwest::Client, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Refused when somebody did so already, which is as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .connect_timeout(self.connect_within)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("relance/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Call(said(error, DEADLINE)))?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::new()
    }
}

/// What went wrong with all its causes, without the address.
fn said(error: reqwest::Error, within: Duration) -> String {
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
