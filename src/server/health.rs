//! The health endpoints for supervision of the process.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;

use super::shared::Shared;

/// The longest wait for Postgres of a process that counts as ready.
const SOON: Duration = Duration::from_secs(1);

/// Answers `ok` while the process runs.
pub(super) async fn lives() -> &'static str {
    "ok\n"
}

/// Answers `ok` if Postgres answers in time, else 503.
pub(super) async fn is_ready(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    match tokio::time::timeout(SOON, shared.store.now()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ok\n"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "Postgres does not answer\n"),
    }
}
