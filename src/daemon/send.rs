//! One sending tick: claim what is due, hand it over, save what became of it.

use std::time::Duration;

use chrono::TimeDelta;

use crate::channel::{Channels, HAND_OVER, Outcome};
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::{Batch, Span, Speed, Store, Terms};

/// What one tick takes: enough for a commit to cost little per message, few enough to be handed over within the lease.
pub const BATCH: Batch = Batch { lanes: 512, people: 256, messages: 1_024 };

/// Pauses between attempts to save outcomes: a restart of Postgres fits in.
const SAVE_AGAIN: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];
/// How long a batch is ours, in real time. Afterwards its messages are uncertain.
const LEASE: Duration = Duration::from_secs(90);
const _: () = assert!(HAND_OVER.as_secs() * 3 < LEASE.as_secs());

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    pub messages: usize,
    /// Lanes looked at; with 0 nothing was due.
    pub lanes: usize,
}

/// Sends what is due within `span`, at most one batch, and waits for what becomes of it. Daemons send by
/// [`Dispatcher`](super::Dispatcher), which waits for nobody.
///
/// The attempt is committed before the channel is called and the outcome after; whoever dies in between leaves
/// messages whose lease runs out into `uncertain`.
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

/// Saves what is known, and tries again while the database is away or busy: a lost outcome could not be had again. Saving
/// twice changes nothing.
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

/// The lease in the time of the clock: a demo's hour must not run out within a real second.
pub(super) fn lease(speed: Speed) -> TimeDelta {
    TimeDelta::from_std(LEASE.mul_f64(speed.0.max(1.0))).unwrap_or(TimeDelta::MAX)
}
