//! One tick of telling people that their STOP was heard.

use crate::channel::{Channels, Outcome};
use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::Store;

/// Tells those who are due at `now`, at most one batch. Returns how many that were.
pub async fn confirm(
    store: &Store,
    program: &Program,
    channels: &Channels,
    now: Timestamp,
) -> Result<usize, store::Error> {
    // Committed before anything is handed over: whoever dies in between told nobody, or somebody once.
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
