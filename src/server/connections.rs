//! Connection limits: the number of connections and the duration of each are bounded, whatever a client does.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::Peer;

/// The limits of client connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest number of open connections; further clients wait until one closes.
    pub connections: usize,
    /// The time for the head of a request to arrive, counted from when it could have begun.
    pub head: Duration,
    /// The time from there until the request is answered.
    pub request: Duration,
    /// The lifetime of a connection; requests that began before its end are still answered.
    pub life: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // The usual default limit of open files for a process is 1,024.
            connections: 512,
            head: Duration::from_secs(10),
            request: Duration::from_secs(20),
            life: Duration::from_mins(5),
        }
    }
}

/// Serves until `stop` is cancelled, then finishes the requests that arrived before.
pub(super) async fn serve(mut listener: TcpListener, router: Router, limits: Limits, stop: &CancellationToken) {
    let router = router.layer(from_fn_with_state(limits.request, in_time));
    let (room, open) = (Arc::new(Semaphore::new(limits.connections)), TaskTracker::new());
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (Listener::accept(&mut listener).await, place)
        };
        let Some(((stream, peer), place)) = stop.run_until_cancelled(next).await else { break };
        let (router, stop) = (router.clone().layer(Extension(Peer(peer.ip()))), stop.clone());
        open.spawn(async move {
            keep(stream, router, limits, &stop).await;
            drop(place);
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// Serves one connection until it closes. After `stop` or the end of its lifetime, it finishes the current request.
async fn keep(stream: TcpStream, router: Router, limits: Limits, stop: &CancellationToken) {
    // Only HTTP/1 is served: detecting the version would wait for the first bytes without a timeout.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    tokio::select! {
        // The client disconnected or was too slow, so it gets no answer.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
        () = sleep(limits.life) => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(timeout(limits.request, connection).await);
}

async fn in_time(State(most): State<Duration>, request: Request, next: Next) -> Response {
    let answer = timeout(most, next.run(request)).await;
    answer.unwrap_or_else(|_| (StatusCode::REQUEST_TIMEOUT, "it took too long\n").into_response())
}
