//! One maintenance tick: all periodic work except sending, namely expired leases, runs for new accounts, phases,
//! enrollment and old webhooks.

use super::enroll;
use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::{NextDue, Store};

/// The generations of facts and manifests for which runs were last created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watermark(Option<(i64, i64)>);

/// The counts of one maintenance tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Messages whose lease expired and that became uncertain.
    pub lost: u64,
    /// Runs that changed phase.
    pub moved: u64,
    /// Runs whose end was forecast.
    pub foreseen: u64,
    /// People enrolled.
    pub taken: u64,
    /// Old webhooks deleted.
    pub purged: u64,
}

impl Kept {
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// Does the maintenance due at `now`: runs for new accounts, expired leases, phases, forecasts, enrollment passes and
/// old webhooks.
pub async fn maintenance(
    store: &Store,
    program: &Program,
    seen: &mut Watermark,
    now: Timestamp,
) -> Result<Kept, store::Error> {
    let generations = Watermark(Some((store.facts_generation().await?, program.generation)));
    if *seen != generations && store.ensure_runs(program, now).await? {
        store.check_frozen(program, now).await?;
        *seen = generations;
    }
    let NextDue { expire, advance, ahead, enroll: pass, purge, .. } = store.next_due().await?;
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let lost = if is_due(expire) { store.expire_leases(now).await? } else { 0 };
    if lost > 0 {
        tracing::warn!(messages = lost, "no outcome was recorded in time: now uncertain, and not sent again");
    }
    // Work that these steps make due for one another may wait until the next tick.
    let moved = if is_due(advance) { store.advance_runs(program, now).await? } else { 0 };
    let foreseen = if is_due(ahead) { store.look_ahead(program, now).await? } else { 0 };
    let taken = if is_due(pass) { enroll(store, program, now).await? } else { 0 };
    let purged = if is_due(purge) { store.purge_webhooks(now).await? } else { 0 };
    Ok(Kept { lost, moved, foreseen, taken, purged })
}
