//! The limit of concurrent calls of a channel. No call begins that could outlast its hand-over.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::{HAND_OVER, Outcome, Reaction};

/// The part of a hand-over that remains after the latest end of its last call.
const MARGIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct CallSlots {
    places: Semaphore,
    longest: Duration,
}

impl CallSlots {
    /// Makes slots for `at_once` concurrent calls, each of which takes `longest` at most.
    pub(super) fn new(at_once: u16, longest: Duration) -> Self {
        Self { places: Semaphore::new(usize::from(at_once)), longest }
    }

    /// Returns the latest instant at which a call may begin, for a hand-over that begins now.
    pub(super) fn latest(&self) -> Instant {
        Instant::now() + HAND_OVER.saturating_sub(MARGIN + self.longest)
    }

    /// Waits for a free slot until `latest`.
    ///
    /// # Errors
    /// The outcome of a message that got no slot in time: nothing was sent, and the lane has to wait.
    pub(super) async fn take(&self, latest: Instant) -> Result<SemaphorePermit<'_>, Outcome> {
        if let Ok(Ok(turn)) = timeout_at(latest, self.places.acquire()).await {
            return Ok(turn);
        }
        let error = "the provider answers too slowly for all that is due";
        Err(Outcome::refused(error, Reaction::Throttle { after: None }))
    }
}
