//! Telling whoever watches a daemon that something stopped.

use crate::store;
use crate::store::{RestrictedRun, Store};

/// Says what stopped runs since the last time; the first time nothing.
pub(super) async fn tell_stopped(store: &Store, told: &mut Option<i64>) -> Result<(), store::Error> {
    let (last, stopped) = store.stopped_since(*told).await?;
    *told = Some(last);
    for RestrictedRun { reason, message, runs } in stopped {
        tracing::warn!(runs, reason, "stopped: {message}");
    }
    Ok(())
}
