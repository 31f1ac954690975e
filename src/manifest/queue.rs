//! `kind: Queue` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::desired::Queue;
use crate::domain::Name;

/// Campaigns that run one after the other for each account. Accounts do not wait for each other.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueSpec {
    /// Names of campaigns, the first to run first.
    #[schemars(length(min = 1))]
    pub(super) campaigns: Vec<Name>,
    /// How many of them may run at once for one account; 1 when left out.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(super) parallelism: Option<u32>,
}

impl QueueSpec {
    pub(super) fn resolve(&self) -> Queue {
        Queue { campaigns: self.campaigns.clone(), parallelism: self.parallelism.unwrap_or(1) }
    }
}
