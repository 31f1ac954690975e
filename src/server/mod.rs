//! The HTTP server. It checks, stores and answers webhooks, which `daemon::receive` interprets, and serves the API.
//!
//! A client without the channel's secret gets only a status and a short sentence. The server reads no oversized body
//! and stores no unsigned one. [`Limits`] bound the duration of each connection. Refusals are logged at intervals, with
//! a count; the log never repeats the content of a refused request.

mod access;
mod api;
mod connections;
mod health;
mod problem;
mod refusals;
mod room;
mod shared;
mod webhook_channels;
mod webhooks;

use std::fmt;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use self::access::Exposure;
use self::api::Api;
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
    /// `None`: the API is not served here.
    exposure: Option<Exposure>,
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
    /// Binds `address`; port 0 selects a free one. `posted` is notified of every stored webhook. On a loopback address
    /// it serves the API.
    pub async fn bind(address: SocketAddr, store: Store, posted: Arc<Notify>) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let webhook_channels = WebhookChannels::default();
        webhook_channels.refresh(&store).await?;
        let shared = Shared { store, posted, webhook_channels, refusals: Refusals::default(), room: Room::new() };
        let exposure = Exposure::of(address, None, false).ok().flatten();
        Ok(Self {
            listener,
            address,
            limits: Limits::default(),
            complaint: Complaint(Arc::new(|| None)),
            shared: Arc::new(shared),
            exposure,
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

    /// Serves the API as `exposure` says, or not at all.
    #[must_use]
    pub fn exposed(self, exposure: Option<Exposure>) -> Self {
        Self { exposure, ..self }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, then finishes the requests that arrived before.
    pub async fn run(self, stop: &CancellationToken) {
        let is_secure = self.exposure.as_ref().is_some_and(Exposure::is_secure);
        let api = self.exposure.map(|exposure| Arc::new(Api::new(self.shared.store.clone(), exposure)));
        let router = Router::new()
            .route("/healthz", get(health::lives))
            .route("/readyz", get(health::is_ready).layer(Extension(self.complaint.clone())))
            .route("/webhooks/{channel}", get(webhooks::shake_hands).post(webhooks::post))
            .with_state(Arc::clone(&self.shared));
        let router = match &api {
            Some(api) => router.merge(api::router(Arc::clone(api))),
            None => router,
        };
        let router = router.layer(map_response(move |response: Response| ready(access::protect(response, is_secure))));
        let served = connections::serve(self.listener, router, self.limits, stop);
        tokio::join!(served, self.shared.look_around(api.as_deref(), stop));
        if let Some(api) = api {
            api.close().await;
        }
        self.shared.refusals.tell_rest();
    }
}

/// Returns the description of the API in `OpenAPI` 3.1.
pub fn openapi() -> Value {
    api::description()
}
