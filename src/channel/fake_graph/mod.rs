//! A stand-in for the Graph API: a server on this machine with the documented shapes, for tests and demos.
//!
//! It takes and refuses messages as Meta does, keeps a ledger of what it accepted, and posts signed webhooks. It fails as
//! it is told to: with any error, for one person or for the next calls, by throttling, slowly, or by cutting connections
//! before or after a message was accepted. The same seed gives the same chances.

mod behaviour;
mod check;
mod connection;
mod control;
mod error;
mod graph;
mod ledger;
mod webhook;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::behaviour::Manners;
pub use self::behaviour::{Behaviour, Fault};
use self::connection::{Cut, Frail};
pub use self::control::Order;
pub use self::error::ApiError;
pub use self::ledger::Accepted;
pub use self::webhook::{Hook, signature};
use self::webhook::{Post, Update};
use crate::core::domain::{Timestamp, mix};

/// What time it is there, and how fast it passes.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Timestamp,
    since: Instant,
    speed: f64,
}

impl Clock {
    /// It is `start` now, and time passes `speed` times as fast as it does.
    pub fn new(start: Timestamp, speed: f64) -> Self {
        Self { start, since: Instant::now(), speed }
    }

    fn now(&self) -> Timestamp {
        let passed = self.since.elapsed().mul_f64(self.speed);
        self.start + chrono::TimeDelta::from_std(passed).unwrap_or_default()
    }
}

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    state: Arc<State>,
    _server: JoinSet<()>,
}

impl StandIn {
    /// Listens on `address`; port 0 takes a free one.
    pub async fn start(address: SocketAddr, clock: Clock, behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let manners = Manners::new(behaviour);
        let inner = Inner { clock, manners, ledger: Vec::new(), traffic: Traffic::default(), hook: None, spoken: 0 };
        let state = Arc::new(State(Mutex::new(inner)));
        let router = Router::new()
            .route("/{version}/{number}/messages", post(graph::messages))
            .route("/{version}/{number}/marketing_messages", post(graph::marketing_messages))
            .route("/_ledger", get(control::ledger))
            .route("/_order", post(control::order))
            .with_state(Arc::clone(&state))
            .into_make_service_with_connect_info::<Cut>();
        let mut server = JoinSet::new();
        server.spawn(async move {
            if let Err(error) = axum::serve(Frail(listener), router).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the stand-in ended");
            }
        });
        Ok(Self { address, state, _server: server })
    }

    /// What a channel has as its `baseUrl`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was accepted, in order.
    pub fn ledger(&self) -> Vec<Accepted> {
        self.state.lock().ledger.clone()
    }

    /// What came in, whatever became of it.
    pub fn traffic(&self) -> Traffic {
        self.state.lock().traffic
    }

    /// Carries out an order; in force when this returns.
    pub fn order(&self, order: Order) {
        control::carry_out(order, &mut self.state.lock());
    }

    /// Sets its clock.
    pub fn set_clock(&self, clock: Clock) {
        self.state.lock().clock = clock;
    }

    /// Waits until every update was taken.
    pub async fn drained(&self) {
        let pending = self.state.lock().hook.as_ref().map(Post::pending);
        if let Some(pending) = pending {
            pending.drained().await;
        }
    }
}

/// Calls that came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    pub calls: u64,
    pub at_once: u64,
    /// The most there ever were.
    pub most_at_once: u64,
}

#[derive(Debug)]
struct State(Mutex<Inner>);

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    manners: Manners,
    ledger: Vec<Accepted>,
    traffic: Traffic,
    hook: Option<Post>,
    /// Messages of people.
    spoken: u64,
}

impl Inner {
    fn enter(&mut self) {
        self.traffic.calls += 1;
        self.traffic.at_once += 1;
        self.traffic.most_at_once = self.traffic.most_at_once.max(self.traffic.at_once);
    }

    /// Enters a message in the ledger and tells of it. Says what it is called.
    fn accept(&mut self, accepted: Accepted) {
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

    fn next_id(&self, behaviour_seed: u64) -> String {
        let number = self.ledger.len() as u64;
        format!("wamid.{:016X}{number:08X}", mix(mix(behaviour_seed) ^ number))
    }

    fn inbound(&mut self, number: &str, phone: &str, text: &str) {
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

    fn prefers(&mut self, number: &str, phone: &str, value: &str) {
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

    fn update(&self, field: &'static str, number: &str, list: &'static str, what: (Value, Option<Value>)) {
        if let Some(hook) = &self.hook {
            let (value, contact) = what;
            hook.tell(std::time::Duration::ZERO, Update { field, number: number.to_owned(), list, value, contact });
        }
    }
}

/// What WhatsApp calls a person by.
fn wa_id(phone: &str) -> &str {
    phone.trim_start_matches('+')
}
