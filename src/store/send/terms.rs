//! Parameters of a claim: how much to take, on what terms, and when.

use std::collections::BTreeMap;

use crate::core::dispatch::lane::{Lane, LaneRun};
use crate::core::domain::{AccountId, Timestamp};

/// The size limits of one claim.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// Maximum lanes examined.
    pub lanes: u32,
    /// Maximum due people examined in one run.
    pub people: u32,
    /// The claim starts no further lane after this many messages.
    pub messages: usize,
}

/// The terms on which a batch is claimed.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The end of the lease; afterwards the outcomes are unknown.
    pub until: Timestamp,
    /// Gives each lane a lease of its own, so that its outcomes can be saved apart from those of the others.
    pub apart: bool,
    /// Lanes to skip: their messages are still in flight.
    pub busy: &'a [AccountId],
}

impl Terms<'_> {
    /// Claims the whole batch, of any lane, until this instant.
    pub fn until(until: Timestamp) -> Self {
        Self { until, apart: false, busy: &[] }
    }
}

/// The time at which a claim examines its lanes: each at the instant it waited for, within these bounds.
///
/// In real time all lanes are examined now. Lanes are independent, so a simulation may advance many of them over a
/// stretch of time in one claim: every lane gets the answers it would get at its own instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    from: Timestamp,
    to: Timestamp,
}

impl Span {
    /// Spans from one instant to a later one, both included.
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to: to.max(from) }
    }

    /// Uses this instant for every lane.
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

/// A lane, and the instant at which it is examined.
pub(super) struct ClaimedLane {
    pub(super) lane: Lane,
    pub(super) at: Timestamp,
}

pub(super) type Runs = BTreeMap<AccountId, Vec<LaneRun>>;
