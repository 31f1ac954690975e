//! An entry of a history.

use std::fmt;

use serde::Serialize;

use crate::core::domain::Timestamp;

/// An event in the history of a person or a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub at: Timestamp,
    pub kind: EntryKind,
    pub account: String,
    /// Null if the entry concerns a run as a whole.
    pub referral: Option<String>,
    /// Null for facts.
    pub campaign: Option<String>,
    /// The day of the sequence.
    pub day: Option<i16>,
    /// A sentence for people, without a full stop.
    pub sentence: String,
}

/// The kind of an entry. Entries of one instant are sorted in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    Registered,
    Consent,
    Paid,
    Suppressed,
    RunCreated,
    RunPhase,
    Enrolled,
    /// A message was handed over and its outcome is unknown, or it waits for its next attempt.
    HandedOver,
    Sent,
    Delivered,
    Read,
    Failed,
    Uncertain,
    Completed,
    Exited,
}

/// Formats an entry as one line for logs and tests: `2026-11-30 14:00 welcome/a1/r1: day 1 delivered`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.campaign.as_deref(), Some(&*self.account), self.referral.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        write!(f, "{} {}: {}", self.at.format("%Y-%m-%d %H:%M"), parts.join("/"), self.sentence)
    }
}
