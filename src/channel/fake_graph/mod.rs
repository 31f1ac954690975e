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
mod state;
mod webhook;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::behaviour::Manners;
pub use self::behaviour::{Behaviour, Fault};
use self::connection::{Cut, Frail};
pub use self::control::Order;
pub use self::error::ApiError;
pub use self::ledger::Accepted;
pub use self::state::{Clock, Traffic};
use self::state::{Inner, State};
use self::webhook::Post;
pub use self::webhook::{Hook, signature};

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub struct FakeGraph {
    address: SocketAddr,
    state: Arc<State>,
    _server: JoinSet<()>,
}

impl FakeGraph {
    /// Listens on `address`; port 0 takes a free one.
    pub async fn start(address: SocketAddr, clock: Clock, behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let manners = Manners::new(behaviour);
        let state = Arc::new(State::new(Inner::new(clock, manners)));
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
