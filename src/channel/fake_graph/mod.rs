//! The fake Graph API: a local server with the documented request and answer formats, for tests and demos.
//!
//! It accepts and refuses messages as Meta does, records accepted messages in a ledger, and posts signed webhooks. It
//! simulates failures on order: any error, for one person or the next calls; throttling; slow answers; connections cut
//! before or after a message is accepted. The same seed gives the same random choices.

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

/// A running server, which stops when this value is dropped.
#[derive(Debug)]
pub struct FakeGraph {
    address: SocketAddr,
    state: Arc<State>,
    _server: JoinSet<()>,
}

impl FakeGraph {
    /// Listens on `address`; port 0 selects a free port.
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

    /// Returns the `baseUrl` for a channel.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns all accepted messages, in order.
    pub fn ledger(&self) -> Vec<Accepted> {
        self.state.lock().ledger.clone()
    }

    /// Returns the counts of all calls, whatever their outcome.
    pub fn traffic(&self) -> Traffic {
        self.state.lock().traffic
    }

    /// Carries out an order, which is in force when this returns.
    pub fn order(&self, order: Order) {
        control::carry_out(order, &mut self.state.lock());
    }

    /// Replaces the clock of the server.
    pub fn set_clock(&self, clock: Clock) {
        self.state.lock().clock = clock;
    }

    /// Waits until the webhook has taken every update.
    pub async fn drained(&self) {
        let pending = self.state.lock().hook.as_ref().map(Post::pending);
        if let Some(pending) = pending {
            pending.drained().await;
        }
    }
}
