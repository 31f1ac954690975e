//! One sending tick: claim what is due, hand it over, save what became of it.

use std::time::Duration;

use chrono::TimeDelta;

use crate::channel::{Channels, Outcome};
use crate::domain::Timestamp;
use crate::program::Program;
use crate::store::{self, Batch, Speed, Store};

/// What one tick takes: enough for a commit to cost little per message, few enough to be handed over within the lease.
pub const BATCH: Batch = Batch { lanes: 512, people: 256, messages: 1_024 };

/// The longest a hand-over of a batch may take, in real time.
const HAND_OVER: Duration = Duration::from_secs(30);
/// How long a batch is ours, in real time. Afterwards its messages are uncertain.
const LEASE: Duration = Duration::from_secs(90);
const _: () = assert!(HAND_OVER.as_secs() * 2 < LEASE.as_secs());

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    pub messages: usize,
    /// Lanes looked at; with 0 nothing was due.
    pub lanes: usize,
}

/// Sends what is due at `now`, at most one batch.
///
/// The attempt is committed before the channel is called and the outcome after; whoever dies in between leaves
/// messages whose lease runs out into `uncertain`.
pub async fn send(
    store: &Store,
    program: &Program,
    channels: &Channels,
    batch: Batch,
    (now, speed): (Timestamp, Speed),
) -> Result<Sent, store::Error> {
    let claim = store.claim(program, batch, now, now + lease(speed)).await?;
    let sent = Sent { messages: claim.messages.len(), lanes: claim.lanes };
    let Some(lease) = claim.lease.filter(|_| !claim.messages.is_empty()) else { return Ok(sent) };
    let answers = tokio::time::timeout(HAND_OVER, channels.hand_over(program, &claim.messages, now)).await;
    let answers = answers.unwrap_or_else(|_| {
        let seconds = HAND_OVER.as_secs();
        vec![Outcome::Unknown { error: format!("no answer within {seconds} s") }; claim.messages.len()]
    });
    let outcomes: Vec<_> = claim.messages.into_iter().zip(answers).collect();
    store.save_outcomes(lease, &outcomes, now).await?;
    Ok(sent)
}

/// The lease in the time of the clock: a demo's hour must not run out within a real second.
fn lease(speed: Speed) -> TimeDelta {
    TimeDelta::from_std(LEASE.mul_f64(speed.0.max(1.0))).unwrap_or(TimeDelta::MAX)
}
