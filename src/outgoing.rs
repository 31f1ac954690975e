//! Calls to other people's servers: with a deadline, over TLS, never following a redirect. Addresses may be secrets, so
//! no error names one.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use thiserror::Error;

/// The longest a call may take.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Characters of an answer that are kept.
const ANSWER: usize = 200;

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

/// What the other side said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// How it begins.
    pub text: String,
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
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let begin = response.chunk().await.map_err(failed)?.unwrap_or_default();
        Ok(Answer { status, text: String::from_utf8_lossy(&begin).chars().take(ANSWER).collect() })
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
