//! The forecast of one person's next message, for people who ask why it has not left.

use super::run::{Account, Run};
use super::{Group, HORIZON, admit, lane};
use crate::core::dispatch::gate::Hold;
use crate::core::domain::Timestamp;
use crate::core::lifecycle::run::Status;

/// The person who is watched in a forecast. They form a group of their own.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// The index of the run.
    pub run: usize,
    pub referral: i64,
    /// When the message is due.
    pub due_at: Timestamp,
}

/// The next message of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NextMessage {
    /// When it leaves; `None` if no foreseen event lets it.
    pub at: Option<Timestamp>,
    /// The last thing that it waited for since it was due.
    pub waits: Option<Wait>,
    /// The messages to other people between its due time and itself.
    pub ahead: u64,
}

/// A thing that a message waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// Its run is not active.
    Run(Status),
    Gate(Hold),
}

/// Forecasts the next message of the watched person.
pub fn next_message(
    account: &Account<'_>,
    runs: &[Run<'_>],
    groups: &[Group],
    watch: Watch,
    now: Timestamp,
) -> NextMessage {
    let refused = admit(account, runs, groups, now).refused;
    let mut runs = runs.to_vec();
    for run in refused.keys() {
        runs[*run].refused = true;
    }
    lane::Lane::new(account, &runs, groups.to_vec(), now).until_subscription_ends().watch(watch, now + HORIZON)
}
