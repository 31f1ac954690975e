//! Durations in the notation of manifests: `90s`, `2m`, `24h`, `7d`.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

const DAY_SECONDS: u64 = 86_400;
const UNITS: [(char, u64); 4] = [('d', DAY_SECONDS), ('h', 3_600), ('m', 60), ('s', 1)];

/// A whole number of seconds, at most ten years. It is written with the largest unit that is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(u64);

impl Period {
    pub const ZERO: Self = Self(0);
    const MAX_SECONDS: u64 = 10 * 366 * 86_400;

    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    pub const fn minutes(minutes: u64) -> Self {
        Self(minutes * 60)
    }

    pub const fn hours(hours: u64) -> Self {
        Self(hours * 3_600)
    }

    /// Parses `90s`, `2m`, `24h` or `7d`; `0` needs a unit too.
    ///
    /// # Errors
    /// Returns a sentence with the accepted forms.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("`{text}` is not a duration: write a whole number and a unit, as in `90s`, `2m`, `24h` or `7d`");
        let unit = text.chars().last().ok_or_else(refuse)?;
        let digits = &text[..text.len() - unit.len_utf8()];
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        let seconds = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor));
        match seconds {
            Some(seconds) if seconds <= Self::MAX_SECONDS => Ok(Self(seconds)),
            _ => Err(format!("`{text}` is too long: at most ten years")),
        }
    }

    pub const fn as_seconds(self) -> u64 {
        self.0
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the number of days if this is a whole number of them.
    pub const fn whole_days(self) -> Option<u64> {
        if self.0 != 0 && self.0.is_multiple_of(DAY_SECONDS) { Some(self.0 / DAY_SECONDS) } else { None }
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        Self::from_secs(period.0)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        let (unit, factor) = exact.unwrap_or(&('s', 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// Formats a duration with one unit, rounded down and without its sign: `40s`, `5m`, `23h`, `4d`.
pub fn rough(length: TimeDelta) -> String {
    let (n, unit) = match length.num_seconds().unsigned_abs() {
        n @ ..60 => (n, 's'),
        n @ ..3_600 => (n / 60, 'm'),
        n @ ..172_800 => (n / 3_600, 'h'),
        n => (n / 86_400, 'd'),
    };
    format!("{n}{unit}")
}

#[cfg(test)]
mod tests {
    use super::Period;

    #[test]
    fn a_period_is_shown_in_its_largest_exact_unit() {
        for (text, seconds, shown) in
            [("90s", 90, "90s"), ("120s", 120, "2m"), ("24h", 86_400, "1d"), ("7d", 604_800, "7d"), ("0s", 0, "0s")]
        {
            let period = Period::parse(text).unwrap();
            assert_eq!((period.as_seconds(), period.to_string().as_str()), (seconds, shown));
        }
    }

    #[test]
    fn a_multiple_of_24_hours_is_whole_days_however_it_is_written() {
        let days = |text: &str| Period::parse(text).unwrap().whole_days();
        assert_eq!(["24h", "1d", "1440m", "86400s", "168h", "7d"].map(days), [1, 1, 1, 1, 7, 7].map(Some));
        assert_eq!(["0s", "0d", "23h", "25h", "36h", "86401s"].map(days), [None; 6]);
    }

    #[test]
    fn malformed_periods_are_refused() {
        for bad in ["", "5", "m", "-1m", "1.5h", "2 m", "1h30m", "5é", "99999999999999999999d", "11000d"] {
            assert!(Period::parse(bad).is_err(), "{bad}");
        }
    }
}
