//! The time between two messages of an account.

use serde::{Deserialize, Serialize};

use crate::core::domain::Period;

/// The pacing of one account. `every: 0s` turns it off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pacing {
    pub every: Period,
    /// The maximum random time added to each interval.
    pub jitter: Period,
    /// Waves, repeated in order. When empty, `every` applies throughout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
}

impl Pacing {
    /// Returns true if messages may leave as fast as quotas allow.
    pub fn is_off(&self) -> bool {
        self.every.is_zero() && self.jitter.is_zero() && self.waves.is_empty()
    }

    /// Returns the longest time that may pass between two messages.
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
