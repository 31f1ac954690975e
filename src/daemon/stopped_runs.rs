//! Log lines about runs that stopped.

use crate::store;
use crate::store::{RestrictedRun, Store};

/// Logs the runs that stopped since the last call; the first call logs none.
pub(super) async fn tell_stopped(store: &Store, reported: &mut Option<String>) -> Result<(), store::Error> {
    let (present, stopped) = store.stopped_since(reported.as_deref()).await?;
    *reported = Some(present);
    for RestrictedRun { reason, detail, runs } in stopped {
        tracing::warn!(runs, reason, "stopped: {detail}");
    }
    Ok(())
}
