//! Lints that need the whole tree: cycles, overlaps, ban risk, and days that channels cannot carry.

pub(super) mod account_conflicts;
pub(super) mod ban_risk;
pub(super) mod campaign_order;
pub(super) mod channel_fit;
pub(super) mod channel_limits;
pub(super) mod consistency;
pub(super) mod cycles;
pub(super) mod default_overlaps;
pub(super) mod findings;
