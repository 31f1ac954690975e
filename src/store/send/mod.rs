//! Sending: the claim, the attempt, the outcome, and what an outcome changes.

pub(super) mod account_health;
pub(super) mod attempt;
pub(super) mod claim;
pub(super) mod claim_write;
pub(super) mod due;
pub(super) mod lane_rows;
pub(super) mod message_rows;
pub(super) mod outcome;
pub(super) mod refusal;
pub(super) mod resolution;
pub(super) mod sandbox;
pub(super) mod target_rows;
pub(super) mod test_message;
