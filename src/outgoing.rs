//! Calls to other people's servers: with a deadline, over TLS, never following a redirect. Addresses may be secrets, so
//! no error names one, and nothing is kept of answers, which often name what was asked for.

use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::StatusCode;
use thiserror::Error;

/// The longest a call may take.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Calls out. Made ready at the first call: whoever makes none needs no certificates.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    client: Arc<OnceLock<reqwest::Client>>,
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
        Self::default()
    }

    /// Posts JSON with these headers and waits for the answer.
    pub async fn post_json(&self, url: &str, headers: &[(&str, String)], body: String) -> Result<Answer, Error> {
        let url = reqwest::Url::parse(url).map_err(|_| Error::Address)?;
        let mut request = self.client()?.post(url).header("content-type", "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        Ok(Answer(request.send().await.map_err(failed)?.status()))
    }

    fn client(&self) -> Result<&reqwest::Client, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Refused when somebody did so already, which is as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("relance/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(failed)?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// What went wrong with all its causes, without the address.
fn failed(error: reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::Call(format!("no answer within {} s", DEADLINE.as_secs()));
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Error::Call(text)
}
