//! The state of the fake Graph API: clock, behaviour, ledger, traffic and webhook.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::behaviour::Manners;
use super::ledger::Accepted;
use super::webhook::{Post, Update};
use crate::core::domain::{Timestamp, mix};

/// The clock of the server: a start time and a speed.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Timestamp,
    since: Instant,
    speed: f64,
}

impl Clock {
    /// Makes a clock that shows `start` now and runs `speed` times as fast as real time.
    pub fn new(start: Timestamp, speed: f64) -> Self {
        Self { start, since: Instant::now(), speed }
    }

    pub(super) fn now(&self) -> Timestamp {
        let passed = self.since.elapsed().mul_f64(self.speed);
        self.start + chrono::TimeDelta::from_std(passed).unwrap_or_default()
    }
}

/// The counts of incoming calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    pub calls: u64,
    pub at_once: u64,
    /// The highest value of `at_once` so far.
    pub most_at_once: u64,
}

#[derive(Debug)]
pub(super) struct State(Mutex<Inner>);

impl State {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Mutex::new(inner))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) clock: Clock,
    pub(super) manners: Manners,
    pub(super) ledger: Vec<Accepted>,
    pub(super) traffic: Traffic,
    pub(super) hook: Option<Post>,
    /// The number of inbound messages so far, from which their ids are made.
    spoken: u64,
}

impl Inner {
    pub(super) fn new(clock: Clock, manners: Manners) -> Self {
        Self { clock, manners, ledger: Vec::new(), traffic: Traffic::default(), hook: None, spoken: 0 }
    }

    pub(super) fn enter(&mut self) {
        self.traffic.calls += 1;
        self.traffic.at_once += 1;
        self.traffic.most_at_once = self.traffic.most_at_once.max(self.traffic.at_once);
    }

    /// Enters a message in the ledger and reports its statuses to the webhook.
    pub(super) fn accept(&mut self, accepted: Accepted) {
        if let Some(hook) = &self.hook {
            let status = |status: &str| {
                let mut value = json!({
                    "id": accepted.id,
                    "status": status,
                    "timestamp": accepted.at.timestamp().to_string(),
                    "recipient_id": wa_id(&accepted.to),
                });
                if !accepted.key.is_empty() {
                    value["biz_opaque_callback_data"] = json!(accepted.key);
                }
                value
            };
            hook.statuses(&accepted.number, &status);
        }
        self.ledger.push(accepted);
    }

    pub(super) fn next_id(&self, behaviour_seed: u64) -> String {
        let number = self.ledger.len() as u64;
        format!("wamid.{:016X}{number:08X}", mix(mix(behaviour_seed) ^ number))
    }

    pub(super) fn inbound(&mut self, number: &str, phone: &str, text: &str) {
        let (now, from) = (self.clock.now(), wa_id(phone).to_owned());
        self.spoken += 1;
        let value = json!({
            "from": from,
            "id": format!("wamid.IN{:016X}", self.spoken),
            "timestamp": now.timestamp().to_string(),
            "type": "text",
            "text": {"body": text},
        });
        let contact = json!({"profile": {"name": "Somebody"}, "wa_id": from});
        self.update("messages", number, "messages", (value, Some(contact)));
        self.manners.inbound.insert((number.to_owned(), from), now);
    }

    pub(super) fn prefers(&mut self, number: &str, phone: &str, value: &str) {
        let wa_id = wa_id(phone);
        let preference = json!({
            "wa_id": wa_id,
            "detail": format!("User requested to {value} marketing messages"),
            "category": "marketing_messages",
            "value": value,
            "timestamp": self.clock.now().timestamp(),
        });
        let contact = json!({"profile": {"name": "Somebody"}, "wa_id": wa_id});
        self.update("user_preferences", number, "user_preferences", (preference, Some(contact)));
    }

    pub(super) fn update(&self, field: &'static str, number: &str, list: &'static str, what: (Value, Option<Value>)) {
        if let Some(hook) = &self.hook {
            let (value, contact) = what;
            hook.tell(std::time::Duration::ZERO, Update { field, number: number.to_owned(), list, value, contact });
        }
    }
}

/// Returns the WhatsApp id of a person: the phone without `+`.
pub(super) fn wa_id(phone: &str) -> &str {
    phone.trim_start_matches('+')
}
