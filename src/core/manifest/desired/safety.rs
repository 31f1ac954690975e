//! The limits of failures and opt-outs that stop an account: `safety` in force.

use serde::{Deserialize, Serialize};

use crate::core::domain::Period;

/// The failure and opt-out rates that stop an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Safety {
    pub failure_percent: u32,
    pub opt_out_warn_percent: u32,
    pub opt_out_pause_percent: u32,
    pub floor: u32,
    pub window: Period,
}

impl Default for Safety {
    fn default() -> Self {
        Self {
            failure_percent: 10,
            opt_out_warn_percent: 2,
            opt_out_pause_percent: 5,
            floor: 20,
            window: Period::hours(24),
        }
    }
}

impl Safety {
    pub(in crate::core::manifest) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
