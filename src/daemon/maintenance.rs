//! One tick of everything but sending: lost leases, runs for new accounts, phases, enrollment, old webhooks.

use super::enroll;
use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::{NextDue, Store};

/// The facts and manifests for which runs were made last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watermark(Option<(i64, i64)>);

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Messages that became uncertain.
    pub lost: u64,
    /// Runs that changed phase.
    pub moved: u64,
    /// Runs of which it was worked out when they would end.
    pub foreseen: u64,
    /// People enrolled.
    pub taken: u64,
    /// Old webhooks removed.
    pub purged: u64,
}

impl Kept {
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// Does what is due at `now`: runs for new accounts, lost leases, phases, enrollment passes, webhooks that
/// are too old.
pub async fn maintenance(
    store: &Store,
    program: &Program,
    seen: &mut Watermark,
    now: Timestamp,
) -> Result<Kept, store::Error> {
    let generations = Watermark(Some((store.facts_generation().await?, program.generation)));
    if *seen != generations && store.ensure_runs(program, now).await? {
        *seen = generations;
    }
    let NextDue { expire, advance, ahead, enroll: pass, purge, .. } = store.next_due().await?;
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let lost = if is_due(expire) { store.expire_leases(now).await? } else { 0 };
    if lost > 0 {
        tracing::warn!(messages = lost, "no outcome was recorded in time: now uncertain, and not sent again");
    }
    // What expired, or became active, may be due for the next of these; then it is at the next tick.
    let moved = if is_due(advance) { store.advance_runs(program, now).await? } else { 0 };
    let foreseen = if is_due(ahead) { store.look_ahead(program, now).await? } else { 0 };
    let taken = if is_due(pass) { enroll(store, program, now).await? } else { 0 };
    let purged = if is_due(purge) { store.purge_webhooks(now).await? } else { 0 };
    Ok(Kept { lost, moved, foreseen, taken, purged })
}
