//! Sending: the claim, the attempt, the lease, and the rows that an outcome changes.

pub(super) mod account_health;
pub(super) mod attempt;
pub(super) mod claim;
pub(super) mod claim_write;
pub(super) mod due;
pub(super) mod fault;
pub(super) mod lane_rows;
pub(super) mod lease;
pub(super) mod message_rows;
pub(super) mod quota;
pub(super) mod refusal;
pub(super) mod resolution;
pub(super) mod sandbox;
pub(super) mod target_rows;
pub(super) mod terms;
pub(super) mod test_message;
