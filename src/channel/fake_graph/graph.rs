//! The endpoints of the fake Graph API.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, State as Shared};
use axum::http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::behaviour::{Admission, Fault};
use super::check::{Wanted, check};
use super::connection::Cut;
use super::error::ApiError;
use super::ledger::Accepted;
use super::state::{State, wa_id};

/// Answers `POST /{version}/{number}/messages`.
pub(super) async fn messages(
    shared: Shared<Arc<State>>,
    cut: ConnectInfo<Cut>,
    Path((_, number)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    Call::begin(&shared.0, &cut.0, &number, false).answer(&headers, &body).await
}

/// Answers `POST /{version}/{number}/marketing_messages`.
pub(super) async fn marketing_messages(
    shared: Shared<Arc<State>>,
    cut: ConnectInfo<Cut>,
    Path((_, number)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    Call::begin(&shared.0, &cut.0, &number, true).answer(&headers, &body).await
}

struct Call<'a> {
    state: &'a State,
    cut: &'a Cut,
    number: &'a str,
    is_marketing: bool,
}

/// Ends the count of a call, even if the client disconnects first.
impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.state.lock().traffic.at_once -= 1;
    }
}

impl<'a> Call<'a> {
    fn begin(state: &'a State, cut: &'a Cut, number: &'a str, is_marketing: bool) -> Self {
        state.lock().enter();
        Self { state, cut, number, is_marketing }
    }

    async fn answer(self, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
        let latency = self.state.lock().manners.latency();
        if !latency.is_zero() {
            sleep(latency).await;
        }
        let sound = self.authorize(headers).and_then(|()| {
            let body: Value = serde_json::from_slice(body).map_err(|_| ApiError::new(100, "Invalid parameter"))?;
            Ok((check(&body)?, body))
        });
        let (wanted, body) = match sound {
            Ok(sound) => sound,
            Err(error) => return refused(&error),
        };
        let fault = self.state.lock().manners.fault(&wanted.to);
        match fault {
            Some(Fault::Error(error)) => return refused(&error),
            Some(Fault::Stranger(status)) => return stranger(status),
            Some(Fault::CutBefore) => return self.cut(),
            Some(Fault::CutAfter | Fault::Hang | Fault::Garbled) | None => {}
        }
        let id = match self.accept(&wanted, body) {
            Ok(id) => id,
            Err(error) => return refused(&error),
        };
        match fault {
            Some(Fault::CutAfter) => self.cut(),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Garbled) => stranger(200),
            _ => reply(
                200,
                &[],
                &json!({
                    "messaging_product": "whatsapp",
                    "contacts": [{"input": wanted.to, "wa_id": wa_id(&wanted.to)}],
                    "messages": [{"id": id, "message_status": "accepted"}],
                }),
            ),
        }
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let inner = self.state.lock();
        let Some(token) = &inner.manners.behaviour.token else { return Ok(()) };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let given = given.strip_prefix("Bearer ").unwrap_or_default();
        if given == token {
            return Ok(());
        }
        // Meta repeats the token too, so a client must not store its error texts unchanged.
        Err(ApiError::new(190, format!("Malformed access token {given}")))
    }

    /// Accepts the message, unless its number may not send it.
    fn accept(&self, wanted: &Wanted, body: Value) -> Result<String, ApiError> {
        let mut inner = self.state.lock();
        let now = inner.clock.now();
        let admission =
            Admission { number: self.number, is_marketing: self.is_marketing, now, instant: Instant::now() };
        inner.manners.admit(&admission, wanted)?;
        let id = inner.next_id(inner.manners.behaviour.seed);
        inner.accept(Accepted {
            id: id.clone(),
            key: wanted.key.clone(),
            number: self.number.to_owned(),
            to: wanted.to.clone(),
            at: now,
            marketing: self.is_marketing,
            body,
        });
        Ok(id)
    }

    fn cut(&self) -> Response<Body> {
        self.cut.now();
        stranger(200)
    }
}

pub(super) fn refused(error: &ApiError) -> Response<Body> {
    reply(error.status, &error.headers(), &error.json())
}

pub(super) fn reply(status: u16, headers: &[(&'static str, String)], body: &Value) -> Response<Body> {
    let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body.to_string())).unwrap_or_else(|_| stranger(500))
}

/// Returns an answer as of a proxy or another server.
fn stranger(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::from("<html><body>Something else</body></html>"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
