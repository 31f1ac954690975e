//! The adaptive batch of a claim: as many lanes as fill a batch, and as many people of each lane as are due. Both
//! follow from the last claim.
//!
//! Lanes locked in vain are withheld from concurrent claims. Room reserved for people who are not due is lost to
//! others.

use crate::store::{Batch, Claim};

/// The least number of people requested from each lane, so that people who leave or wait do not use up its turn.
const FEW: u32 = 4;

/// The lanes and people that a claim requests, before the limits of its batch apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AdaptiveBatch {
    lanes: u32,
    people: u32,
}

impl Default for AdaptiveBatch {
    /// Returns the adaptive batch without limits of its own.
    fn default() -> Self {
        Self { lanes: u32::MAX, people: u32::MAX }
    }
}

impl AdaptiveBatch {
    pub(super) fn within(self, batch: Batch) -> Batch {
        Batch { lanes: self.lanes.min(batch.lanes), people: self.people.min(batch.people), ..batch }
    }

    /// Returns the adaptive batch for the claim after `claim`. The lanes become one and a half times those that found
    /// room, or double the request when all did. The people become twice those of the fullest lane. A claim that found
    /// nobody leaves the people unchanged.
    pub(super) fn after(self, claim: &Claim, batch: Batch) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let asked = self.within(batch);
        let lanes = match (claim.lanes, claim.passed_over) {
            (_, 0) => asked.lanes.saturating_mul(2),
            (lanes, _) => count(lanes + lanes.div_ceil(2)).max(1),
        };
        let people = match claim.crowd {
            0 => self.people,
            crowd => count(crowd).saturating_mul(2).max(FEW),
        };
        Self { lanes, people }
    }
}

#[cfg(test)]
mod tests {
    use super::AdaptiveBatch;
    use crate::store::{Batch, Claim};

    const BATCH: Batch = Batch { lanes: 512, people: 256, messages: 1_024 };

    fn found(lanes: usize, passed_over: usize, crowd: usize) -> Claim {
        Claim { lanes, passed_over, crowd, ..Claim::default() }
    }

    fn asks(adaptive_batch: AdaptiveBatch) -> (u32, u32) {
        let Batch { lanes, people, .. } = adaptive_batch.within(BATCH);
        (lanes, people)
    }

    #[test]
    fn the_adaptive_batch_converges_to_a_filled_batch() {
        // Hundreds of people wait in each of a hundred lanes.
        let adaptive_batch = AdaptiveBatch::default();
        assert_eq!(asks(adaptive_batch), (512, 256));
        let adaptive_batch = adaptive_batch.after(&found(4, 96, 256), BATCH);
        assert_eq!(asks(adaptive_batch), (6, 256));
        assert_eq!(adaptive_batch.after(&found(4, 2, 256), BATCH), adaptive_batch);
        // Then each lane has few people: more lanes fit, twice as many each time.
        let adaptive_batch = adaptive_batch.after(&found(4, 2, 3), BATCH);
        assert_eq!(asks(adaptive_batch), (6, 6));
        let adaptive_batch = adaptive_batch.after(&found(6, 0, 3), BATCH);
        assert_eq!(asks(adaptive_batch), (12, 6));
        // A lane that fills its request is asked for more.
        assert_eq!(asks(adaptive_batch.after(&found(12, 0, 6), BATCH)), (24, 12));
    }

    #[test]
    fn the_adaptive_batch_never_falls_to_zero() {
        assert_eq!(asks(AdaptiveBatch::default().after(&found(0, 3, 0), BATCH)), (1, 256));
        assert_eq!(asks(AdaptiveBatch::default().after(&found(1, 0, 1), BATCH)), (512, 4));
        let nothing = found(0, 0, 0);
        assert_eq!(asks(AdaptiveBatch { lanes: 1, people: 4 }.after(&nothing, BATCH)), (2, 4));
    }
}
