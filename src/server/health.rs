//! Whether the process is well, for whoever watches over it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;

use super::shared::Shared;

/// Who waits longer for Postgres is not ready.
const SOON: Duration = Duration::from_secs(1);

/// The process lives.
pub(super) async fn lives() -> &'static str {
    "ok\n"
}

/// Postgres answers.
pub(super) async fn is_ready(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    match tokio::time::timeout(SOON, shared.store.now()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ok\n"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "Postgres does not answer\n"),
    }
}
