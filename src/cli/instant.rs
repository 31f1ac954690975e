//! Instants as users type them.

use chrono::NaiveTime;

use crate::core::domain::{NaiveDate, Timestamp};
use crate::facts;

/// Parses RFC 3339, or a date as its first instant in UTC.
pub(super) fn parse(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.and_time(NaiveTime::MIN).and_utc());
    }
    facts::instant(text).map_err(anyhow::Error::msg)
}
