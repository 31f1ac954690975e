//! Maintenance: all periodic work except sending. Each chore is a loop of its own in a daemon, so that none waits for
//! another: a long enrollment delays no expired lease, and a purge delays no phase.

use super::enroll;
use super::stopped_runs::tell_stopped;
use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::{NextDue, Store};

/// A chore of maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chore {
    /// Messages whose lease expired become uncertain.
    Expiry,
    /// Runs for new accounts, phases, and forecasts of the ends of runs.
    Phases,
    /// Passes of enrollment.
    Enrollment,
    /// Old webhooks are deleted.
    Purge,
}

impl Chore {
    /// In the order in which one process would do them.
    pub const ALL: [Self; 4] = [Self::Expiry, Self::Phases, Self::Enrollment, Self::Purge];

    /// The name in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expiry => "expire leases",
            Self::Phases => "move runs on",
            Self::Enrollment => "enroll",
            Self::Purge => "delete old webhooks",
        }
    }

    /// Returns the next instant at which the chore has work.
    pub fn due(self, due: NextDue) -> Option<Timestamp> {
        match self {
            Self::Expiry => due.expire,
            Self::Phases => [due.advance, due.ahead].into_iter().flatten().min(),
            Self::Enrollment => due.enroll,
            Self::Purge => due.purge,
        }
    }
}

/// The generations of facts and manifests for which runs were last created, and the part of the log that was reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watermark {
    generations: Option<(i64, i64)>,
    reported: Option<String>,
}

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

/// Does all chores that are due at `now`, one after the other.
pub async fn maintenance(
    store: &Store,
    program: &Program,
    seen: &mut Watermark,
    now: Timestamp,
) -> Result<Kept, store::Error> {
    make_runs(store, program, seen, now).await?;
    let due = store.next_due().await?;
    let mut kept = Kept::default();
    // Work that these steps make due for one another may wait until the next tick.
    for chore in Chore::ALL {
        work(chore, (store, program), due, (&mut kept, now)).await?;
    }
    Ok(kept)
}

/// Does one chore, as far as it is due at `now`.
pub(super) async fn tick(
    chore: Chore,
    (store, program): (&Store, &Program),
    seen: &mut Watermark,
    now: Timestamp,
) -> Result<Kept, store::Error> {
    if chore == Chore::Phases {
        tell_stopped(store, &mut seen.reported).await?;
        make_runs(store, program, seen, now).await?;
    }
    let (due, mut kept) = (store.next_due().await?, Kept::default());
    work(chore, (store, program), due, (&mut kept, now)).await?;
    Ok(kept)
}

/// Makes runs for new accounts.
async fn make_runs(store: &Store, program: &Program, seen: &mut Watermark, now: Timestamp) -> Result<(), store::Error> {
    let generations = Some((store.facts_generation().await?, program.generation));
    if seen.generations != generations && store.ensure_runs(program, now).await? {
        store.check_frozen(program, now).await?;
        seen.generations = generations;
    }
    Ok(())
}

async fn work(
    chore: Chore,
    (store, program): (&Store, &Program),
    due: NextDue,
    (kept, now): (&mut Kept, Timestamp),
) -> Result<(), store::Error> {
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    match chore {
        Chore::Expiry if is_due(due.expire) => {
            kept.lost = store.expire_leases(now).await?;
            if kept.lost > 0 {
                tracing::warn!(
                    messages = kept.lost,
                    "no outcome was recorded in time: now uncertain, and not sent again"
                );
            }
        }
        Chore::Phases => {
            kept.moved = if is_due(due.advance) { store.advance_runs(program, now).await? } else { 0 };
            kept.foreseen = if is_due(due.ahead) { store.look_ahead(program, now).await? } else { 0 };
        }
        Chore::Enrollment if is_due(due.enroll) => kept.taken = enroll(store, program, now).await?,
        Chore::Purge if is_due(due.purge) => kept.purged = store.purge_webhooks(now).await?,
        Chore::Expiry | Chore::Enrollment | Chore::Purge => {}
    }
    Ok(())
}
