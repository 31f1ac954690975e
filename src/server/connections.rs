//! Connections: so many at a time, and none for ever, whatever whoever connects does or leaves undone.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What is granted to whoever connects.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time; others wait until one is closed.
    pub connections: usize,
    /// How long the head of a request may take to arrive, counted from when it could have begun.
    pub head: Duration,
    /// How long a request may take from there until it is answered.
    pub request: Duration,
    /// How long a connection lasts; what is asked by then is answered.
    pub life: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A process may have 1,024 files open where nobody says otherwise.
            connections: 512,
            head: Duration::from_secs(10),
            request: Duration::from_secs(20),
            life: Duration::from_mins(5),
        }
    }
}

/// Answers until `stop` is cancelled and whatever came before that is answered.
pub(super) async fn serve(mut listener: TcpListener, router: Router, limits: Limits, stop: &CancellationToken) {
    let router = router.layer(from_fn_with_state(limits.request, in_time));
    let (room, open) = (Arc::new(Semaphore::new(limits.connections)), TaskTracker::new());
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (Listener::accept(&mut listener).await.0, place)
        };
        let Some((stream, place)) = stop.run_until_cancelled(next).await else { break };
        let (router, stop) = (router.clone(), stop.clone());
        open.spawn(async move {
            keep(stream, router, limits, &stop).await;
            drop(place);
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// Answers on one connection until it is closed.
async fn keep(stream: TcpStream, router: Router, limits: Limits, stop: &CancellationToken) {
    // Nobody waits for the first bytes to tell which version it is: that wait would have no end.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    tokio::select! {
        // Whoever went away, or was too slow, has no answer to get.
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
