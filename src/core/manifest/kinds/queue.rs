//! The schema of `kind: Queue`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::domain::Name;
use crate::core::manifest::desired::Queue;

/// A queue: its campaigns run in order for each account. Accounts do not wait for each other.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct QueueSpec {
    /// The names of the campaigns, in the order in which they run.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) campaigns: Vec<Name>,
    /// The maximum number of these campaigns that run at once for one account; 1 by default.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::core::manifest) parallelism: Option<u32>,
}

impl QueueSpec {
    pub(in crate::core::manifest) fn resolve(&self) -> Queue {
        Queue { campaigns: self.campaigns.clone(), parallelism: self.parallelism.unwrap_or(1) }
    }
}
