//! The HTTP server. What is posted to us is checked, written down and answered; what it means is for `runner::receive`.
//!
//! Whoever has no key gets nothing but a number: no body is read that is too large, none is kept that is not signed, nobody
//! holds a connection for longer than [`Limits`] say, and what is refused is told in the log once in a while, never repeated
//! there.

mod connections;
mod health;
mod refusals;
mod room;
mod shared;
mod webhook_channels;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use self::connections::Limits;
use self::refusals::Refusals;
use self::room::Room;
use self::shared::Shared;
use self::webhook_channels::WebhookChannels;
use crate::store;
use crate::store::Store;

/// A server that has its address and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    shared: Arc<Shared>,
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot load the channels in force")]
    Store(#[from] store::Error),
}

impl Server {
    /// Takes `address`; with port 0 one that is free. `posted` is told of every webhook that was written down.
    pub async fn bind(address: SocketAddr, store: Store, posted: Arc<Notify>) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let webhook_channels = WebhookChannels::default();
        webhook_channels.refresh(&store).await?;
        let shared = Shared { store, posted, webhook_channels, refusals: Refusals::default(), room: Room::new() };
        Ok(Self { listener, address, limits: Limits::default(), shared: Arc::new(shared) })
    }

    /// With other limits than the usual ones.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is cancelled and whatever came before that is answered.
    pub async fn run(self, stop: &CancellationToken) {
        let router = Router::new()
            .route("/healthz", get(health::lives))
            .route("/readyz", get(health::is_ready))
            .route("/webhooks/{channel}", get(webhooks::shake_hands).post(webhooks::post))
            .with_state(Arc::clone(&self.shared));
        let served = connections::serve(self.listener, router, self.limits, stop);
        tokio::join!(served, self.shared.look_around(stop));
        self.shared.refusals.tell_rest();
    }
}
