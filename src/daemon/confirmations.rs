//! One tick of opt-out confirmations, which tell people that their STOP was received.

use crate::channel::{Channels, Outcome};
use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::Store;

/// Sends the confirmations due at `now`, at most one batch. Returns the number of confirmations claimed.
pub async fn confirm(
    store: &Store,
    program: &Program,
    channels: &Channels,
    now: Timestamp,
) -> Result<usize, store::Error> {
    // The claim is committed before the hand-over: if the process dies in between, each person is told at most once.
    let claimed = store.claim_confirmations(&program.policies, now).await?;
    if claimed.is_empty() {
        return Ok(0);
    }
    let outcomes = channels.hand_over(&claimed, now).await;
    let settled: Vec<_> = claimed.into_iter().zip(outcomes).collect();
    for (message, outcome) in &settled {
        if let Outcome::Refused(refusal) = outcome {
            let phone = message.phone.masked();
            tracing::warn!("could not tell {phone} that their STOP was heard: {}", refusal.error);
        }
    }
    store.settle_confirmations(&settled, now).await?;
    Ok(settled.len())
}
