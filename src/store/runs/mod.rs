//! Runs: created, moved through their lifecycle, filled with people, restricted by providers.

pub(super) mod account_policy;
pub(super) mod advance;
pub(super) mod affected;
pub(super) mod enroll;
pub(super) mod first_match;
pub(super) mod matcher;
pub(super) mod override_rows;
pub(super) mod restriction;
pub(super) mod restriction_lift;
pub(super) mod run;
pub(super) mod scene;
pub(super) mod selector;
pub(super) mod senders;
pub(super) mod stopped;
pub(super) mod under_way;
