//! The settings of a simulation.

use chrono::TimeDelta;

use super::chance::Rates;
use crate::core::domain::Timestamp;

/// The period, seed and rates of a simulation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub from: Timestamp,
    /// At least one.
    pub days: u32,
    pub seed: u64,
    pub rates: Rates,
}

impl Settings {
    /// The instant at which the simulation ends.
    pub fn until(&self) -> Timestamp {
        self.from + TimeDelta::days(i64::from(self.days))
    }
}
