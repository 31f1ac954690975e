//! Who calls when: not more at once than the other side takes, and nothing that would not be over in time.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::{HAND_OVER, Outcome, Reaction};

/// What is left of a hand-over when the last of its calls must be over.
const MARGIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct CallSlots {
    places: Semaphore,
    longest: Duration,
}

impl CallSlots {
    /// For `at_once` calls of which none takes longer than `longest`.
    pub(super) fn new(at_once: u16, longest: Duration) -> Self {
        Self { places: Semaphore::new(usize::from(at_once)), longest }
    }

    /// When the last call of a hand-over that begins now may begin.
    pub(super) fn latest(&self) -> Instant {
        Instant::now() + HAND_OVER.saturating_sub(MARGIN + self.longest)
    }

    /// Waits for its turn.
    ///
    /// # Errors
    /// What is known of a message whose turn has not come by then: the lane has to wait, and nothing was tried.
    pub(super) async fn take(&self, latest: Instant) -> Result<SemaphorePermit<'_>, Outcome> {
        if let Ok(Ok(turn)) = timeout_at(latest, self.places.acquire()).await {
            return Ok(turn);
        }
        let error = "the provider answers too slowly for all that is due";
        Err(Outcome::refused(error, Reaction::Throttle { after: None }))
    }
}
