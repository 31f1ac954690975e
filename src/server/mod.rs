//! The HTTP server. It checks, stores and answers webhooks; `daemon::receive` interprets them.
//!
//! A client without the channel's secret gets only a status and a short sentence. The server reads no oversized body
//! and stores no unsigned one. [`Limits`] bound the duration of each connection. Refusals are logged at intervals, with
//! a count; the log never repeats the content of a refused request.

mod connections;
mod health;
mod refusals;
mod room;
mod shared;
mod webhook_channels;
mod webhooks;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};
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

/// A server that is bound to its address and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    complaint: Complaint,
    shared: Arc<Shared>,
}

/// Returns a sentence while a part of the process is stuck.
#[derive(Clone)]
struct Complaint(Arc<dyn Fn() -> Option<String> + Send + Sync>);

impl fmt::Debug for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Complaint")
    }
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
    /// Binds `address`; port 0 selects a free one. `posted` is notified of every stored webhook.
    pub async fn bind(address: SocketAddr, store: Store, posted: Arc<Notify>) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let webhook_channels = WebhookChannels::default();
        webhook_channels.refresh(&store).await?;
        let shared = Shared { store, posted, webhook_channels, refusals: Refusals::default(), room: Room::new() };
        Ok(Self {
            listener,
            address,
            limits: Limits::default(),
            complaint: Complaint(Arc::new(|| None)),
            shared: Arc::new(shared),
        })
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Counts the process as not ready while `complaint` returns a sentence.
    #[must_use]
    pub fn complaining(self, complaint: Arc<dyn Fn() -> Option<String> + Send + Sync>) -> Self {
        Self { complaint: Complaint(complaint), ..self }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, then finishes the requests that arrived before.
    pub async fn run(self, stop: &CancellationToken) {
        let router = Router::new()
            .route("/healthz", get(health::lives))
            .route("/readyz", get(health::is_ready).layer(Extension(self.complaint.clone())))
            .route("/webhooks/{channel}", get(webhooks::shake_hands).post(webhooks::post))
            .with_state(Arc::clone(&self.shared));
        let served = connections::serve(self.listener, router, self.limits, stop);
        tokio::join!(served, self.shared.look_around(stop));
        self.shared.refusals.tell_rest();
    }
}
