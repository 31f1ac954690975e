//! One sending tick: claims due messages, hands them over and saves their outcomes.

use std::time::Duration;

use chrono::TimeDelta;

use crate::channel::{Channels, HAND_OVER, Outcome};
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::{Batch, Span, Speed, Store, Terms};

/// The batch limit of one tick: large enough for a commit to cost little per message, small enough for a hand-over
/// within the lease.
pub const BATCH: Batch = Batch { lanes: 512, people: 256, messages: 1_024 };

/// The pauses between attempts to save outcomes, long enough in total for a restart of Postgres.
const SAVE_AGAIN: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];
/// The lease of a claimed batch, in real time. Its messages become uncertain when it expires.
const LEASE: Duration = Duration::from_secs(90);
const _: () = assert!(HAND_OVER.as_secs() * 3 < LEASE.as_secs());

/// The counts of one sending tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    pub messages: usize,
    /// The number of lanes examined; 0 means that nothing was due.
    pub lanes: usize,
}

/// Sends the messages due within `span`, at most one batch, and waits for their outcomes. Daemons send by
/// [`Dispatcher`](super::Dispatcher), which does not wait for the hand-over.
///
/// The attempt is committed before the channel is called, and the outcome after it. If the process dies in between, the
/// lease expires and the messages become `uncertain`.
pub async fn send(
    store: &Store,
    program: &Program,
    channels: &Channels,
    batch: Batch,
    (span, speed): (Span, Speed),
) -> Result<Sent, store::Error> {
    let claim = store.claim(program, batch, span, Terms::until(span.to() + lease(speed))).await?;
    let sent = Sent { messages: claim.messages.len(), lanes: claim.lanes };
    if claim.messages.is_empty() {
        return Ok(sent);
    }
    let answers = channels.hand_over(&claim.messages, span.from()).await;
    let outcomes: Vec<_> = claim.messages.into_iter().zip(answers).collect();
    save(store, &outcomes, span.from()).await?;
    Ok(sent)
}

/// Saves outcomes, and retries while the database is unavailable or busy, because a lost outcome cannot be recovered.
/// Saving is idempotent.
pub(super) async fn save(
    store: &Store,
    outcomes: &[(OutgoingMessage, Outcome)],
    now: Timestamp,
) -> Result<(), store::Error> {
    for pause in SAVE_AGAIN {
        match store.save_outcomes(outcomes, now).await {
            Ok(()) => return Ok(()),
            Err(error) if !error.is_transient() => return Err(error),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, messages = outcomes.len(), "outcomes could not be saved; trying again");
            }
        }
        tokio::time::sleep(pause).await;
    }
    store.save_outcomes(outcomes, now).await
}

/// Returns the lease in the time of the database clock. At a higher speed it grows, so that a demo's hour does not
/// expire within a real second.
pub(super) fn lease(speed: Speed) -> TimeDelta {
    TimeDelta::from_std(LEASE.mul_f64(speed.0.max(1.0))).unwrap_or(TimeDelta::MAX)
}
