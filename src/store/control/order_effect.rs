//! The effect of an order as users see it.

use schemars::JsonSchema;
use serde::Serialize;

use super::overrides::{Group, Outcome};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::overrides::Action;

/// An order, or the end of one, with its effect: `pause -o json` and its siblings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrderEffect {
    pub action: Action,
    /// True if the order was cleared, not given.
    pub cleared: bool,
    /// Null for every campaign of the account.
    pub campaign: Option<String>,
    /// The account's external id; null for every account.
    pub account: Option<String>,
    pub actor: String,
    pub reason: Option<String>,
    /// The end of the order; null until it is cleared.
    pub until: Option<Timestamp>,
    /// The order that stood before.
    pub replaced: Option<Action>,
    /// The number of runs concerned.
    pub runs: i64,
    /// The number of active people in them.
    pub people: i64,
    /// The number of people who left because of it.
    pub exited: i64,
    /// The restrictions of a provider that were lifted.
    pub lifted: Vec<String>,
    /// The present phases of the runs.
    pub phases: Vec<Group>,
}

impl OrderEffect {
    /// Describes the outcome of an order of `actor` to the named campaign and account, without a reason.
    pub fn of(
        action: Action,
        (campaign, account): (Option<String>, Option<String>),
        actor: &str,
        until: Option<Timestamp>,
        outcome: &Outcome,
    ) -> Self {
        Self {
            action,
            cleared: false,
            campaign,
            account,
            actor: actor.to_owned(),
            reason: None,
            until,
            replaced: outcome.before,
            runs: outcome.runs.iter().map(|group| group.runs).sum(),
            people: outcome.runs.iter().map(|group| group.people).sum(),
            exited: outcome.exited,
            lifted: outcome.lifted.iter().map(ToString::to_string).collect(),
            phases: outcome.runs.clone(),
        }
    }
}
