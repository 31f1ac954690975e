//! Idempotency keys: a request that is sent again gets the answer of the first, and has no second effect.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::server::access::Caller;
use crate::server::api::body::Key;
use crate::server::api::state::Api;
use crate::server::problem::{Kind, Problem};
use crate::store::{Begun, Effect, KeyedRequest, Store};

/// Marks the answer of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Runs `work` in the name of the caller, once for each key. `report` makes the answer of its effect.
///
/// A refusal is not stored: the same key serves the corrected request.
pub(super) async fn once<W>(
    (api, caller): (&Api, &Caller),
    key: Option<Key>,
    report: impl Fn(&Effect) -> Option<Value> + Send + Sync + 'static,
    work: impl FnOnce(Store) -> W,
) -> Result<Response, Problem>
where
    W: Future<Output = Result<Value, Problem>>,
{
    let store = api.store.acting(Some(&caller.name));
    let Some(Key { text, digest }) = key else { return Ok(Json(work(store).await?).into_response()) };
    let request = KeyedRequest { token: caller.token, key: text, digest, begun_at: caller.now };
    match api.store.begin_request(&request).await? {
        Begun::New => {}
        Begun::Running => return Err(Problem::of(Kind::KeyInUse)),
        Begun::Other => return Err(Problem::of(Kind::KeyReused)),
        Begun::Answered(answer) => {
            let mut response = Json(answer).into_response();
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            return Ok(response);
        }
    }
    let render = Arc::new(move |effect: &Effect| report(effect).unwrap_or_default());
    match work(store.answering(request.clone(), render)).await {
        Ok(answer) => Ok(Json(answer).into_response()),
        Err(problem) => {
            api.store.drop_request(&request).await?;
            Err(problem)
        }
    }
}

/// Returns an answer as JSON.
pub(super) fn json(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).expect("answers are plain data")
}
