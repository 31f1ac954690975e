//! The health endpoints for supervision of the process.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;

use super::Complaint;
use super::shared::Shared;

/// The longest wait for Postgres of a process that counts as ready.
const SOON: Duration = Duration::from_secs(1);

/// Answers `ok` while the process runs.
pub(super) async fn lives() -> &'static str {
    "ok\n"
}

/// Answers `ok` if Postgres answers in time and nothing in the process is stuck, else 503.
pub(super) async fn is_ready(
    State(shared): State<Arc<Shared>>,
    Extension(complaint): Extension<Complaint>,
) -> (StatusCode, String) {
    if let Some(complaint) = (complaint.0)() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{complaint}\n"));
    }
    match tokio::time::timeout(SOON, shared.store.now()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ok\n".to_owned()),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "Postgres does not answer\n".to_owned()),
    }
}
