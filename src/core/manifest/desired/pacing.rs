//! The time that an account leaves between two messages.

use serde::{Deserialize, Serialize};

use crate::core::domain::Period;

/// How one account spaces its messages. `every: 0s` turns pacing off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pacing {
    pub every: Period,
    /// Up to this much is added to each interval.
    pub jitter: Period,
    /// Each wave in turn, then the first again; empty: `every` for ever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
}

impl Pacing {
    /// Whether messages may leave as fast as quotas allow.
    pub fn is_off(&self) -> bool {
        self.every.is_zero() && self.jitter.is_zero() && self.waves.is_empty()
    }

    /// The longest time that may pass between two messages.
    pub fn longest(&self) -> Period {
        let waves = self.waves.iter().map(|wave| wave.every.max(wave.pause_after));
        let longest = waves.max().unwrap_or(self.every);
        Period::seconds(longest.as_seconds() + self.jitter.as_seconds())
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self { every: Period::minutes(2), jitter: Period::seconds(30), waves: Vec::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    pub messages: u32,
    pub every: Period,
    pub pause_after: Period,
}
