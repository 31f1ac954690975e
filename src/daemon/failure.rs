//! Logs a tick that failed.

use std::error::Error;

pub(super) fn log_failure(task: &str, error: &(dyn Error + Send + Sync + 'static)) {
    let error: &(dyn Error + 'static) = error;
    tracing::error!(task.name = task, error, "a tick of `{task}` failed; trying again");
}
