//! What a stand-in in a process of its own is asked and told.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::Response;
use serde::Deserialize;
use serde_json::json;

use super::behaviour::{Behaviour, Fault};
use super::graph::reply;
use super::state::{Inner, State};
use super::webhook::{Hook, Post};

/// One thing to do; as JSON `{"failNext": {"calls": 2, "fault": {"error": {"code": 131026}}}}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Order {
    /// Behave otherwise from now on.
    Behave(Behaviour),
    /// Do this to the next sound calls.
    FailNext { calls: usize, fault: Fault },
    /// Do this to every sound call for a person, `+…`.
    FailFor { phone: String, fault: Fault },
    /// Forget every fault that was ordered.
    Heal {},
    /// Post updates there from now on; what waits for another place is forgotten.
    Tell(Hook),
    /// Somebody, `+…`, writes to a number; free messages may go to them for a day.
    Inbound { number: String, phone: String, text: String },
    /// Somebody, `+…`, tells WhatsApp to `stop` or `resume` the marketing of a number.
    Prefers { number: String, phone: String, value: String },
}

/// `GET /_ledger`: all that was accepted, in order.
pub(super) async fn ledger(Shared(state): Shared<Arc<State>>) -> Response<Body> {
    let accepted = json!(state.lock().ledger);
    reply(200, &[], &accepted)
}

/// `POST /_order`: carries it out before it answers.
pub(super) async fn order(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response<Body> {
    match serde_json::from_slice(&body) {
        Ok(order) => {
            carry_out(order, &mut state.lock());
            reply(200, &[], &json!({}))
        }
        Err(error) => reply(400, &[], &json!({"error": error.to_string()})),
    }
}

pub(super) fn carry_out(order: Order, inner: &mut Inner) {
    match order {
        Order::Behave(behaviour) => inner.manners.behaviour = behaviour,
        Order::FailNext { calls, fault } => inner.manners.next.extend(std::iter::repeat_n(fault, calls)),
        Order::FailFor { phone, fault } => drop(inner.manners.for_phone.insert(phone, fault)),
        Order::Heal {} => {
            inner.manners.next.clear();
            inner.manners.for_phone.clear();
        }
        Order::Tell(hook) => inner.hook = Some(Post::start(hook)),
        Order::Inbound { number, phone, text } => inner.inbound(&number, &phone, &text),
        Order::Prefers { number, phone, value } => inner.prefers(&number, &phone, &value),
    }
}
