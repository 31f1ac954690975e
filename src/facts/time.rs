//! Times and days as exports write them.

use chrono::{Datelike, FixedOffset, NaiveDate, NaiveTime};

use crate::core::domain::{Timestamp, Zone};

/// The years that zone arithmetic supports; all others are typing errors.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2999;
/// The days that a spreadsheet counts from 1899-12-30 for the years 1927 to 2118.
const SERIAL_DAYS: std::ops::RangeInclusive<u32> = 10_000..=80_000;

/// The order of day, month and year in the dates of a file, beside ISO 8601, which is always understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Days {
    #[default]
    Iso,
    DayMonthYear,
    MonthDayYear,
    YearMonthDay,
}

impl Days {
    /// Reads the order from a form such as `dd/mm/yyyy`, `jj/mm/aaaa` or `%m/%d/%Y`. A time of day may follow.
    ///
    /// # Errors
    /// Returns a sentence with forms that are understood.
    pub fn parse(form: &str) -> Result<Self, String> {
        let mut order = String::new();
        for c in form.trim().to_ascii_lowercase().chars() {
            let part = match c {
                'd' | 'j' if order.len() < 3 => 'd',
                'm' => 'm',
                'y' | 'a' => 'y',
                _ if order.len() == 3 => break,
                '/' | '-' | '.' | ' ' | '%' => continue,
                _ => break,
            };
            if !order.ends_with(part) {
                order.push(part);
            }
        }
        match order.as_str() {
            "dmy" => Ok(Self::DayMonthYear),
            "mdy" => Ok(Self::MonthDayYear),
            "ymd" => Ok(Self::YearMonthDay),
            _ => Err("not a form of dates: use for example `dd/mm/yyyy`, `mm/dd/yyyy` or `yyyy/mm/dd`".to_owned()),
        }
    }

    const fn form(self) -> &'static str {
        match self {
            Self::Iso => "yyyy-mm-dd",
            Self::DayMonthYear => "dd/mm/yyyy",
            Self::MonthDayYear => "mm/dd/yyyy",
            Self::YearMonthDay => "yyyy/mm/dd",
        }
    }

    /// Splits a day from the rest of a text.
    fn split(self, text: &str) -> Option<(NaiveDate, &str)> {
        if let Some(found) = day(text) {
            return Some(found);
        }
        let separators = ['/', '-', '.', ' '];
        let (first, rest) = digits(text)?;
        let (second, rest) = digits(rest.strip_prefix(separators)?)?;
        let (third, rest) = digits(rest.strip_prefix(separators)?)?;
        let (day, month, year) = match self {
            Self::Iso => return None,
            Self::DayMonthYear => (first, second, third),
            Self::MonthDayYear => (second, first, third),
            Self::YearMonthDay => (third, second, first),
        };
        if day.len() > 2 || month.len() > 2 {
            return None;
        }
        let year: i32 = match (year.len(), year.parse().ok()?) {
            (4, year) => year,
            // As in POSIX: 69 to 99 are of the last century.
            (2, year @ 69..) => 1900 + year,
            (2, year) => 2000 + year,
            _ => return None,
        };
        let date = NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?)?;
        YEARS.contains(&date.year()).then_some((date, rest))
    }
}

/// The reader of the times of one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times<'z> {
    pub(super) days: Days,
    /// The zone of times that state no offset.
    pub(super) zone: Option<&'z Zone>,
}

impl Times<'_> {
    /// Parses an instant: a day with an optional time of day, which may have seconds and an offset. A day alone means its
    /// beginning.
    ///
    /// The offset is for example `Z`, `UTC`, `+00`, `+0100` or `+01:00`. The precision is a microsecond, as in Postgres.
    pub(super) fn instant(self, text: &str) -> Result<Timestamp, String> {
        self.read(text).ok_or_else(|| self.fault(text))
    }

    /// Parses a calendar day. Midnight may follow, as scripts write it.
    pub(super) fn date(self, text: &str) -> Result<NaiveDate, String> {
        let is_midnight = |rest: &str| time(rest).is_some_and(|(at, rest)| at == NaiveTime::MIN && rest.is_empty());
        match self.days.split(text) {
            Some((date, rest)) if rest.is_empty() || is_midnight(rest) => Ok(date),
            _ => Err(self.advised(text, "not a date of the calendar: write `2003-07-31`")),
        }
    }

    fn read(self, text: &str) -> Option<Timestamp> {
        let (date, rest) = self.days.split(text)?;
        let (time, rest) = match time(rest) {
            Some(found) => found,
            None if rest.is_empty() && self.zone.is_some() => (NaiveTime::MIN, rest),
            None => return None,
        };
        let instant = match (rest.trim_start(), self.zone) {
            ("", Some(zone)) => zone.instant(date.and_time(time)),
            (rest, _) => {
                let offset = FixedOffset::east_opt(offset(rest)?)?;
                date.and_time(time).and_local_timezone(offset).single()?.to_utc()
            }
        };
        YEARS.contains(&instant.year()).then_some(instant)
    }

    fn fault(self, text: &str) -> String {
        let is_local =
            self.days.split(text).and_then(|(_, rest)| time(rest)).is_some_and(|(_, rest)| rest.trim().is_empty());
        if self.zone.is_none() && is_local {
            return "the time does not say its offset from UTC: write `2026-09-25T05:14:51Z` or `…+01:00`".to_owned();
        }
        self.advised(text, "not a time: write `2026-09-25T05:14:51Z` or `2026-09-25 05:14:51+01:00`")
    }

    /// Adds the cause to a reason, if the text shows one.
    fn advised(self, text: &str, reason: &str) -> String {
        let whole = text.split(['.', ',']).next().unwrap_or(text);
        let decimals = text[whole.len()..].trim_start_matches(['.', ',']);
        let is_serial = whole.len() == 5 && whole.parse().is_ok_and(|days: u32| SERIAL_DAYS.contains(&days));
        if is_serial && decimals.bytes().all(|b| b.is_ascii_digit()) {
            return format!("{reason}; a spreadsheet counted its days: format the column as a date and export again");
        }
        if self.zone.is_none() {
            return reason.to_owned();
        }
        match self.days {
            Days::Iso if Days::DayMonthYear.split(text).or_else(|| Days::MonthDayYear.split(text)).is_some() => {
                format!("{reason}, or say the order of days and months with `--date-format dd/mm/yyyy`")
            }
            Days::Iso => reason.to_owned(),
            other => format!("{reason}, or as `--date-format` says, `{}`", other.form()),
        }
    }
}

/// Parses an instant that states its offset from UTC.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    Times { days: Days::Iso, zone: None }.instant(text)
}

/// Parses the time of day behind a day: `T05:14:51.5`, ` 5:14 PM`, `, 14h05`.
fn time(text: &str) -> Option<(NaiveTime, &str)> {
    let rest = text.strip_prefix(',').unwrap_or(text).strip_prefix(['T', 't', ' '])?.trim_start();
    let (hour, rest) = digits(rest).filter(|(hour, _)| hour.len() <= 2)?;
    let (minute, rest) = number(rest.strip_prefix([':', 'h', 'H'])?, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest, 2)?,
        None => (0, rest),
    };
    let (micros, rest) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let hour: u32 = hour.parse().ok()?;
    let (hour, rest) = match half(rest) {
        Some((is_afternoon, rest)) if (1..=12).contains(&hour) => (hour % 12 + if is_afternoon { 12 } else { 0 }, rest),
        Some(_) => return None,
        None => (hour, rest),
    };
    Some((NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?, rest))
}

/// Splits `AM` or `PM` from the rest, and returns true for the second half of the day.
fn half(text: &str) -> Option<(bool, &str)> {
    let (half, rest) = text.trim_start().split_at_checked(2)?;
    match half.to_ascii_lowercase().as_str() {
        "am" => Some((false, rest)),
        "pm" => Some((true, rest)),
        _ => None,
    }
}

/// Splits a day of ISO 8601 from the rest of a text.
fn day(text: &str) -> Option<(NaiveDate, &str)> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    YEARS.contains(&date.year()).then_some((date, rest))
}

/// Splits the ASCII digits at the beginning of a text from the rest.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Parses exactly `digits` ASCII digits.
fn number(text: &str, digits: usize) -> Option<(u32, &str)> {
    let (head, rest) = text.split_at_checked(digits)?;
    head.bytes().all(|b| b.is_ascii_digit()).then(|| head.parse().ok())?.map(|n| (n, rest))
}

/// Returns the digits after the point in microseconds; finer digits are cut off.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = digits(text).filter(|(digits, _)| digits.len() <= 12)?;
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
    use chrono::NaiveDate;

    use super::{Days, Times, instant};
    use crate::core::domain::Zone;

    const STRICT: Times<'static> = Times { days: Days::Iso, zone: None };

    fn date(text: &str) -> Result<NaiveDate, String> {
        STRICT.date(text)
    }

    fn shown(text: &str) -> String {
        instant(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_rfc3339()
    }

    #[test]
    fn timestamp_formats_of_exports_are_read() {
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
    fn invalid_timestamps_are_refused() {
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
    fn calendar_dates_are_validated() {
        assert_eq!(date("2004-02-29").unwrap().to_string(), "2004-02-29");
        for bad in ["2091-02-30", "2003-02-29", "03-07-31", "31/07/2003", "2003-7-31", "2003-07-31T00:00:00Z", ""] {
            assert!(date(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_without_an_offset_are_those_of_the_account_s_zone() {
        let zone = Zone::parse("Africa/Douala").unwrap();
        let times = |form: &str| Times { days: Days::parse(form).unwrap(), zone: Some(&zone) };
        for (form, text, expected) in [
            ("dd/mm/yyyy", "25/09/2026 06:14", "2026-09-25T05:14:00+00:00"),
            ("jj/mm/aaaa hh:mm", "25/9/26 6:14:51", "2026-09-25T05:14:51+00:00"),
            ("DD.MM.YYYY", "25.09.2026", "2026-09-24T23:00:00+00:00"),
            ("%m/%d/%Y %H:%M", "9/25/2026, 6:14 PM", "2026-09-25T17:14:00+00:00"),
            ("m/d/yy", "9/25/26 12:14 AM", "2026-09-24T23:14:00+00:00"),
            ("yyyy/mm/dd", "2026/09/25 06h14", "2026-09-25T05:14:00+00:00"),
            ("dd/mm/yyyy", "2026-09-25 06:14", "2026-09-25T05:14:00+00:00"),
            ("dd/mm/yyyy", "25/09/2026 06:14Z", "2026-09-25T06:14:00+00:00"),
        ] {
            assert_eq!(times(form).instant(text).unwrap().to_rfc3339(), expected, "{form} {text}");
        }
        let days = times("dd/mm/yyyy");
        assert_eq!(days.date("1/2/94").unwrap().to_string(), "1994-02-01");
        assert_eq!(days.date("1994-02-01 00:00:00").unwrap().to_string(), "1994-02-01");
        for bad in ["31/02/2026", "9/25/2026", "25/09/126", "25/09", "25/09/2026 25:00", "25/09/2026 13:00 PM", "46000"]
        {
            assert!(days.instant(bad).is_err(), "{bad}");
        }
        for bad in ["", "d/m", "dd/mm", "mm/yyyy", "dd/mm/dd", "french"] {
            assert!(Days::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reason_says_what_the_spreadsheet_did_and_what_helps() {
        let zone = Zone::utc();
        let iso = Times { days: Days::Iso, zone: Some(&zone) };
        assert!(iso.instant("25/09/2026").unwrap_err().contains("--date-format"));
        assert!(iso.date("9/25/2026").unwrap_err().contains("--date-format"));
        assert!(iso.instant("46290.218").unwrap_err().contains("counted its days"));
        assert!(!iso.instant("soon").unwrap_err().contains("--date-format"));
        assert!(!instant("25/09/2026").unwrap_err().contains("--date-format"));
    }
}
