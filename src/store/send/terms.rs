//! What a claim is told: how much to take, on what terms, and when.

use std::collections::BTreeMap;

use crate::core::dispatch::lane::{Lane, LaneRun};
use crate::core::domain::{AccountId, Timestamp};

/// How much one claim takes.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// Lanes looked at.
    pub lanes: u32,
    /// Due people looked at in one run.
    pub people: u32,
    /// Messages after which no further lane is begun.
    pub messages: usize,
}

/// On what terms a batch is claimed.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Until when the messages are ours; afterwards nobody knows what became of them.
    pub until: Timestamp,
    /// Whether each lane has a lease of its own, so that its outcomes can be saved apart from those of the others.
    pub apart: bool,
    /// Lanes to leave alone: what they had is still on its way.
    pub busy: &'a [AccountId],
}

impl Terms<'_> {
    /// The batch as a whole until this instant, of any lane.
    pub fn until(until: Timestamp) -> Self {
        Self { until, apart: false, busy: &[] }
    }
}

/// When a claim looks at its lanes: each at the instant it waited for, within these.
///
/// Whoever lives in real time looks at all of them now. Lanes know nothing of each other, so a simulation may take many
/// of them a stretch of time ahead in one go: every lane gets the answers it would get at its own instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    from: Timestamp,
    to: Timestamp,
}

impl Span {
    /// From one instant to a later one, both included.
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to: to.max(from) }
    }

    /// This instant for every lane.
    pub fn now(now: Timestamp) -> Self {
        Self { from: now, to: now }
    }

    pub fn from(self) -> Timestamp {
        self.from
    }

    pub fn to(self) -> Timestamp {
        self.to
    }
}

/// A lane, and the instant at which it is looked at.
pub(super) struct ClaimedLane {
    pub(super) lane: Lane,
    pub(super) at: Timestamp,
}

pub(super) type Runs = BTreeMap<AccountId, Vec<LaneRun>>;
