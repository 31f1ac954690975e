//! The answers to orders about plans, phones and messages.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::lifecycle::message::State;

/// An approved plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server::api) struct Approval {
    /// The digest of the plan. The daemon applies it once, within seconds, unless the files change first.
    pub(super) plan: String,
    pub(super) approved_by: String,
    pub(super) reason: String,
    /// Why the plan waited.
    pub(super) refusal: String,
}

/// The effect of a suppression: `suppress add -o json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server::api) struct Suppressions {
    /// Phones that were not suppressed before.
    pub(super) suppressed: u64,
    /// Phones that were suppressed before.
    pub(super) already: u64,
    /// Targets that left because of it.
    pub(super) exited: u64,
}

/// The effect of a resolution: `resolve -o json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server::api) struct Resolution {
    pub(super) resolved: u64,
    /// The state that the messages have now.
    pub(super) state: State,
}
