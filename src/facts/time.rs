//! Times as exports write them.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, Utc};

use crate::core::domain::Timestamp;

/// The years that zone arithmetic supports; all others are typing errors.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2999;

/// Parses an instant: RFC 3339, or with a blank for the `T`, optional seconds, and an offset.
///
/// The offset is for example `Z`, `UTC`, `+00`, `+0100` or `+01:00`. The precision is a microsecond, as in Postgres.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    parse(text).ok_or_else(|| {
        if local(text).is_some_and(|(_, _, rest)| rest.trim().is_empty()) {
            "the time does not say its offset from UTC: write `2026-09-25T05:14:51Z` or `…+01:00`".to_owned()
        } else {
            "not a time: write `2026-09-25T05:14:51Z` or `2026-09-25 05:14:51+01:00`".to_owned()
        }
    })
}

/// Parses a calendar day, `2003-07-31`.
pub(super) fn date(text: &str) -> Result<NaiveDate, String> {
    match day(text) {
        Some((date, "")) => Ok(date),
        _ => Err("not a date of the calendar: write `2003-07-31`".to_owned()),
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, time, rest) = local(text)?;
    let offset = FixedOffset::east_opt(offset(rest.trim_start())?)?;
    let instant: DateTime<Utc> = date.and_time(time).and_local_timezone(offset).single()?.to_utc();
    YEARS.contains(&instant.year()).then_some(instant)
}

fn local(text: &str) -> Option<(NaiveDate, NaiveTime, &str)> {
    let (date, rest) = day(text)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (hour, rest) = number(rest, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest, 2)?,
        None => (0, rest),
    };
    let (micros, rest) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    Some((date, NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?, rest))
}

fn day(text: &str) -> Option<(NaiveDate, &str)> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    YEARS.contains(&date.year()).then_some((date, rest))
}

/// Parses exactly `digits` ASCII digits.
fn number(text: &str, digits: usize) -> Option<(u32, &str)> {
    let (head, rest) = text.split_at_checked(digits)?;
    head.bytes().all(|b| b.is_ascii_digit()).then(|| head.parse().ok())?.map(|n| (n, rest))
}

/// Returns the digits after the point in microseconds; finer digits are cut off.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || digits.len() > 12 {
        return None;
    }
    let micros = digits.bytes().chain(std::iter::repeat(b'0')).take(6).fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    Some((micros, rest))
}

/// Returns the offset in seconds east of UTC.
fn offset(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "z" | "UTC" | "GMT") {
        return Some(0);
    }
    let (sign, rest) = text.strip_prefix('+').map(|rest| (1, rest)).or_else(|| Some((-1, text.strip_prefix('-')?)))?;
    let (hours, rest) = number(rest, 2)?;
    let minutes = match rest.strip_prefix(':').unwrap_or(rest) {
        "" if rest.is_empty() => 0,
        rest => number(rest, 2).filter(|(minutes, rest)| *minutes < 60 && rest.is_empty())?.0,
    };
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    (hours <= 18).then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::{date, instant};

    fn shown(text: &str) -> String {
        instant(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_rfc3339()
    }

    #[test]
    fn the_forms_of_exports() {
        for text in [
            "2026-09-25T05:14:51Z",
            "2026-09-25 05:14:51+00",
            "2026-09-25T06:14:51+01:00",
            "2026-09-25 06:14:51+0100",
            "2026-09-25 05:14:51 UTC",
            "2026-09-24t23:44:51-05:30",
            "2026-09-25 05:14:51 +00:00",
        ] {
            assert_eq!(shown(text), "2026-09-25T05:14:51+00:00", "{text}");
        }
        assert_eq!(shown("2026-09-25 05:14Z"), "2026-09-25T05:14:00+00:00");
        assert_eq!(shown("2026-09-25 05:14:51.1234567Z"), "2026-09-25T05:14:51.123456+00:00");
        assert_eq!(shown("2026-09-25 05:14:51.5+00"), "2026-09-25T05:14:51.500+00:00");
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for bad in [
            "",
            "31/13/2026",
            "2026-09-25",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-09-25T24:00:00Z",
            "2026-09-25T05:14:60Z",
            "2026-09-25T05:14:51+1",
            "2026-09-25T05:14:51+01:",
            "2026-09-25T05:14:51+01:60",
            "2026-09-25T05:14:51+99:00",
            "2026-09-25T05:14:51.Z",
            "0026-09-25T05:14:51Z",
            "9026-09-25T05:14:51Z",
            "2026-09-25T05:14:51Zx",
            "２０２６-09-25T05:14:51Z",
        ] {
            assert!(instant(bad).is_err(), "{bad}");
        }
        assert!(instant("2026-09-25T05:14:51").unwrap_err().contains("offset"));
    }

    #[test]
    fn days_of_the_calendar() {
        assert_eq!(date("2004-02-29").unwrap().to_string(), "2004-02-29");
        for bad in ["2091-02-30", "2003-02-29", "03-07-31", "31/07/2003", "2003-7-31", "2003-07-31T00:00:00Z", ""] {
            assert!(date(bad).is_err(), "{bad}");
        }
    }
}
