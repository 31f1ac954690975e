//! Logging of failed ticks.

use std::error::Error;

use crate::store;

/// Logs a failed tick: a warning when the database is away or busy, else an error.
pub(super) fn log_failure(task: &str, error: &(dyn Error + Send + Sync + 'static)) {
    let error: &(dyn Error + 'static) = error;
    if store::Error::find(error).is_some_and(store::Error::is_transient) {
        tracing::warn!(task.name = task, error, "a tick of `{task}` failed; trying again");
    } else {
        tracing::error!(task.name = task, error, "a tick of `{task}` failed; trying again");
    }
}
