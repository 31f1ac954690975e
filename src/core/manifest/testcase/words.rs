//! The words that tests may use for states and reasons. `manifest` may not import the modules that define them, so
//! they are repeated here; a test of the time machine keeps both in step.

use schemars::{Schema, SchemaGenerator, json_schema};

pub const MESSAGE_STATES: [&str; 7] = ["queued", "sending", "sent", "delivered", "read", "failed", "uncertain"];
pub const TARGET_STATES: [&str; 3] = ["active", "completed", "exited"];
pub const EXIT_REASONS: [&str; 7] = ["paid", "opted-out", "cancelled", "undeliverable", "failed", "removed", "expired"];
pub const HOLDS: [&str; 13] = [
    "run-not-active",
    "sending-off",
    "subscription-expired",
    "disconnected",
    "halted",
    "consent-missing",
    "near-opt-out",
    "outside-window",
    "account-cap",
    "campaign-cap",
    "written-today",
    "pacing",
    "throttled",
];
pub const PHASES: [&str; 6] = ["draft", "scheduled", "active", "paused", "completed", "cancelled"];
pub const RUN_REASONS: [&str; 21] = [
    "manifest",
    "operator",
    "waiting-for-start",
    "queued-behind",
    "waiting-for-people",
    "looking-ahead",
    "outlives-subscription",
    "running",
    "enrollment-off",
    "sending-off",
    "filtered-campaign-active",
    "subscription-expired",
    "disconnected",
    "failure-rate",
    "opt-out-rate",
    "channel-unhealthy",
    "template-error",
    "frozen",
    "drained",
    "ended",
    "pruned",
];
pub const ACTIONS: [&str; 7] = ["cancel", "delete", "pause", "resume", "rename", "update", "create"];

macro_rules! schemas {
    ($($name:ident: $words:ident;)*) => {
        $(pub(super) fn $name(_: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "string", "enum": $words})
        })*
    };
}

schemas! {
    message_state: MESSAGE_STATES;
    target_state: TARGET_STATES;
    exit_reason: EXIT_REASONS;
    hold: HOLDS;
    phase: PHASES;
    run_reason: RUN_REASONS;
    action: ACTIONS;
}
