//! The control interface of a fake Graph API that runs in its own process.

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

/// One order, in JSON such as `{"failNext": {"calls": 2, "fault": {"error": {"code": 131026}}}}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Order {
    /// Replaces the behaviour.
    Behave(Behaviour),
    /// Applies a fault to the next valid calls.
    FailNext { calls: usize, fault: Fault },
    /// Applies a fault to every valid call for a person, `+…`.
    FailFor { phone: String, fault: Fault },
    /// Removes every ordered fault.
    Heal {},
    /// Posts updates to a new webhook from now on, and drops those that wait for the previous one.
    Tell(Hook),
    /// Simulates a message from a person, `+…`, to a number. The person can then get free-form messages for a day.
    Inbound { number: String, phone: String, text: String },
    /// Simulates that a person, `+…`, chooses to `stop` or `resume` the marketing messages of a number.
    Prefers { number: String, phone: String, value: String },
}

/// Answers `GET /_ledger` with all accepted messages, in order.
pub(super) async fn ledger(Shared(state): Shared<Arc<State>>) -> Response<Body> {
    let accepted = json!(state.lock().ledger);
    reply(200, &[], &accepted)
}

/// Answers `POST /_order` after carrying out the order.
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
