//! What goes wrong between us and Postgres.

use thiserror::Error;

/// A failed verb. The operation says what was being done; the source says why it failed.
#[derive(Debug, Error)]
#[error("cannot {operation}")]
pub struct Error {
    operation: &'static str,
    #[source]
    source: sqlx::Error,
}

impl Error {
    pub(super) fn new(operation: &'static str, source: sqlx::Error) -> Self {
        Self { operation, source }
    }

    /// For `map_err`: every failure names the operation it interrupted.
    pub(super) fn during(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self { operation, source }
    }
}
