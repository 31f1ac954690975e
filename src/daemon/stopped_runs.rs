//! Log lines about runs that stopped.

use crate::store;
use crate::store::{RestrictedRun, Store};

/// Logs the runs that stopped since the last call; the first call logs none.
pub(super) async fn tell_stopped(store: &Store, reported: &mut Option<i64>) -> Result<(), store::Error> {
    let (last, stopped) = store.stopped_since(*reported).await?;
    *reported = Some(last);
    for RestrictedRun { reason, detail, runs } in stopped {
        tracing::warn!(runs, reason, "stopped: {detail}");
    }
    Ok(())
}
