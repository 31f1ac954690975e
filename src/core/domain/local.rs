//! Local time: zones, calendar days and sending windows. Only this module does zone arithmetic.
//!
//! A wall time that a clock change skips moves forward by the length of the gap. A wall time that occurs twice means
//! the first occurrence (RFC 5545). A window inside a gap is therefore shifted, not lost.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::{Period, Timestamp};

/// The number of days searched for an opening; beyond it a window counts as never open.
const HORIZON_DAYS: i64 = 400;

/// Names that zone files of a machine have, and that are no zones: its own zone, rules for others, placeholders.
const NO_ZONES: [&str; 5] = ["localtime", "posixrules", "factory", "etc/unknown", "leapseconds"];
/// Folders of zone files that count leap seconds, or repeat the files beside them.
const NO_ZONE_FOLDERS: [&str; 2] = ["right/", "posix/"];

static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// An existing IANA time zone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Parses an IANA name.
    ///
    /// # Errors
    /// Returns a sentence that names the zone and shows a valid one.
    pub fn parse(name: &str) -> Result<Self, String> {
        let refuse = || format!("`{name}` is not a time zone: use an IANA name such as `Africa/Douala`");
        let folded = name.to_ascii_lowercase();
        let is_none = NO_ZONES.contains(&folded.as_str()) || NO_ZONE_FOLDERS.iter().any(|it| folded.starts_with(it));
        if name.is_empty() || name.len() > 64 || is_none {
            return Err(refuse());
        }
        // This machine may know fewer names than the one that accepted the zone; the bundled rules know all of them.
        let rules = TimeZone::get(name).or_else(|_| BUNDLED.get(name)).map_err(|_| refuse())?;
        let name = rules.iana_name().ok_or_else(refuse)?.to_owned();
        Ok(Self { name, rules })
    }

    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Returns the calendar day and wall time at `instant`.
    pub fn local(&self, instant: Timestamp) -> NaiveDateTime {
        let stamp =
            jiff::Timestamp::from_microsecond(instant.timestamp_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        instant.naive_utc() + TimeDelta::seconds(i64::from(self.rules.to_offset(stamp).seconds()))
    }

    /// Returns the calendar day at `instant`.
    pub fn date(&self, instant: Timestamp) -> NaiveDate {
        self.local(instant).date()
    }

    /// Returns the instant of a wall time.
    pub fn instant(&self, local: NaiveDateTime) -> Timestamp {
        let civil = civil(local);
        let stamp = self.rules.to_ambiguous_timestamp(civil).compatible().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        DateTime::from_timestamp_micros(stamp.as_microsecond()).unwrap_or_default()
    }

    /// Returns the instant after a period. Whole days keep the wall time over clock changes: `24h` and `1d` are the same
    /// hour of the next day.
    pub fn after(&self, instant: Timestamp, period: Period) -> Timestamp {
        let Some(days) = period.whole_days() else { return instant + Duration::from(period) };
        let local = self.local(instant);
        let later = Days::new(days);
        match local.checked_add_days(later) {
            Some(later) => self.instant(later),
            None => instant + Duration::from(period),
        }
    }

    /// Returns the first instant of a calendar day.
    pub fn day_start(&self, date: NaiveDate) -> Timestamp {
        self.instant(date.and_time(NaiveTime::MIN))
    }

    /// Returns the first instant of the calendar day after that of `instant`.
    pub fn next_day(&self, instant: Timestamp) -> Timestamp {
        self.day_start(self.date(instant) + TimeDelta::days(1))
    }
}

fn civil(local: NaiveDateTime) -> jiff::civil::DateTime {
    // Manifests and facts admit only the years 1900 to 2999, so every part fits.
    let part = |n: u32| i8::try_from(n).unwrap_or(1);
    let nanos = i32::try_from(local.nanosecond().min(999_999_999)).unwrap_or(0);
    jiff::civil::DateTime::new(
        i16::try_from(local.year()).unwrap_or(1970),
        part(local.month()),
        part(local.day()),
        part(local.hour()),
        part(local.minute()),
        part(local.second()),
        nanos,
    )
    .unwrap_or_default()
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

/// A time in a manifest: absolute, or a wall time that needs a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Moment {
    Absolute(Timestamp),
    Wall(NaiveDateTime),
}

impl Moment {
    /// Parses RFC 3339 (`2026-12-01T08:00:00+01:00`) or a wall time (`2026-12-01T08:00`, `2026-12-01`).
    ///
    /// # Errors
    /// Returns a sentence with the accepted forms.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wall = |format| NaiveDateTime::parse_from_str(text, format).ok();
        let moment = DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|t| Self::Absolute(t.to_utc()))
            .or_else(|| wall("%Y-%m-%dT%H:%M:%S").map(Self::Wall))
            .or_else(|| wall("%Y-%m-%dT%H:%M").map(Self::Wall))
            .or_else(|| text.parse::<NaiveDate>().ok().map(|d| Self::Wall(d.and_time(NaiveTime::MIN))));
        match moment {
            Some(moment) if (1900..3000).contains(&moment.at(&Zone::utc()).year()) => Ok(moment),
            Some(_) => Err(format!("`{text}` is out of range: use a year from 1900 to 2999")),
            None => Err(format!(
                "`{text}` is not a time: write `2026-12-01T08:00:00+01:00`, or `2026-12-01T08:00` for local time"
            )),
        }
    }

    /// Returns the instant, using `zone` for wall times.
    pub fn at(self, zone: &Zone) -> Timestamp {
        match self {
            Self::Absolute(instant) => instant,
            Self::Wall(local) => zone.instant(local),
        }
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        match moment {
            Moment::Absolute(instant) => instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            Moment::Wall(local) => local.format("%Y-%m-%dT%H:%M:%S").to_string(),
        }
    }
}

/// A day of the week, written `mon` … `sun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    fn of(date: NaiveDate) -> Self {
        Self::ALL[date.weekday().num_days_from_monday() as usize]
    }
}

/// A sending window on some days of the week; the start is included, the end is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    pub days: Vec<Weekday>,
    pub from: Clock,
    pub to: Clock,
}

/// A time of day in whole minutes, `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Clock(u16);

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not a time of day: write `08:00`, up to `24:00`");
        let (hours, minutes) = text.split_once(':').ok_or_else(refuse)?;
        let two_digits =
            |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<u16>().ok()).flatten();
        match (two_digits(hours), two_digits(minutes)) {
            (Some(h), Some(m)) if m < 60 && h * 60 + m <= 24 * 60 => Ok(Self(h * 60 + m)),
            _ => Err(refuse()),
        }
    }
}

impl Clock {
    fn on(self, date: NaiveDate) -> NaiveDateTime {
        date.and_time(NaiveTime::MIN) + TimeDelta::minutes(i64::from(self.0))
    }
}

impl TryFrom<String> for Clock {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Clock> for String {
    fn from(clock: Clock) -> Self {
        format!("{:02}:{:02}", clock.0 / 60, clock.0 % 60)
    }
}

/// All windows of a schedule, and the dates on which none of them opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    pub windows: Vec<Window>,
    pub blackouts: Vec<NaiveDate>,
}

/// The state of the windows at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Open until this instant.
    Open(Timestamp),
    /// Closed; opens at this instant.
    Opens(Timestamp),
    /// Closed for at least the next 400 days.
    Never,
}

impl Opening {
    /// Open for ever.
    pub const ALWAYS: Self = Self::Open(Timestamp::MAX_UTC);
}

impl Windows {
    /// Returns the state of the windows at `now` in `zone`.
    pub fn opening(&self, zone: &Zone, now: Timestamp) -> Opening {
        let today = zone.date(now);
        for date in (0..HORIZON_DAYS).map(|ahead| today + TimeDelta::days(ahead)) {
            if self.blackouts.contains(&date) {
                continue;
            }
            let spans = self.windows.iter().filter(|w| w.days.contains(&Weekday::of(date)));
            let spans = spans.map(|w| (zone.instant(w.from.on(date)), zone.instant(w.to.on(date))));
            let (mut open, mut next): (Option<Timestamp>, Option<Timestamp>) = (None, None);
            for (from, to) in spans.filter(|(from, to)| from < to && now < *to) {
                if from <= now {
                    // Windows may overlap, and their order means nothing.
                    open = open.max(Some(to));
                } else {
                    next = Some(next.map_or(from, |at| at.min(from)));
                }
            }
            match (open, next) {
                (Some(until), _) => return Opening::Open(until),
                (None, Some(at)) => return Opening::Opens(at),
                (None, None) => {}
            }
        }
        Opening::Never
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Opening, Weekday, Window, Windows, Zone};
    use crate::core::domain::{Period, Timestamp};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn windows(from: &str, to: &str, days: &[Weekday]) -> Windows {
        let window = Window { days: days.to_vec(), from: from.parse().unwrap(), to: to.parse().unwrap() };
        Windows { windows: vec![window], blackouts: vec!["2026-12-25".parse().unwrap()] }
    }

    #[test]
    fn a_window_opens_and_closes_on_the_local_minute() {
        let day = windows("08:00", "20:00", &Weekday::ALL);
        let douala = Zone::parse("Africa/Douala").unwrap();
        let open = |now| day.opening(&douala, at(now));
        assert_eq!(open("2026-12-01T06:59:59Z"), Opening::Opens(at("2026-12-01T07:00:00Z")));
        assert_eq!(open("2026-12-01T07:00:00Z"), Opening::Open(at("2026-12-01T19:00:00Z")));
        assert_eq!(open("2026-12-01T19:00:00Z"), Opening::Opens(at("2026-12-02T07:00:00Z")));
        // The 25th is a blackout date.
        assert_eq!(open("2026-12-24T20:00:00Z"), Opening::Opens(at("2026-12-26T07:00:00Z")));
    }

    #[test]
    fn a_window_in_a_clock_gap_is_shifted() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        let night = windows("02:10", "02:50", &Weekday::ALL);
        // 2027-03-28: 02:00 becomes 03:00 in Paris.
        assert_eq!(night.opening(&paris, at("2027-03-28T00:30:00Z")), Opening::Opens(at("2027-03-28T01:10:00Z")));
        assert_eq!(windows("08:00", "20:00", &[]).opening(&paris, at("2026-12-01T08:00:00Z")), Opening::Never);
    }

    #[test]
    fn calendar_days_follow_the_time_zone() {
        let kiritimati = Zone::parse("Pacific/Kiritimati").unwrap();
        let noon = at("2026-12-01T12:00:00Z");
        assert_eq!(kiritimati.date(noon).to_string(), "2026-12-02");
        assert_eq!(kiritimati.next_day(noon), at("2026-12-02T10:00:00Z"));
        assert!(Zone::parse("Africa/Duala").is_err());
        for file in
            ["localtime", "LOCALTIME", "posixrules", "Factory", "Etc/Unknown", "right/Europe/Paris", "posix/UTC"]
        {
            assert!(Zone::parse(file).is_err(), "{file} is a file and no zone");
        }
    }

    #[test]
    fn whole_days_keep_the_hour_over_clock_changes_and_hours_do_not() {
        let period = |text: &str| Period::parse(text).unwrap();
        let after = |zone: &str, from: &str, wait: &str| Zone::parse(zone).unwrap().after(at(from), period(wait));
        for (zone, from, wait, to) in [
            // Paris goes forward on 28 March 2027, and back on 31 October.
            ("Europe/Paris", "2027-03-27T09:00:00Z", "24h", "2027-03-28T08:00:00Z"),
            ("Europe/Paris", "2027-03-27T09:00:00Z", "1d", "2027-03-28T08:00:00Z"),
            ("Europe/Paris", "2027-03-27T09:00:00Z", "168h", "2027-04-03T08:00:00Z"),
            ("Europe/Paris", "2027-10-30T08:00:00Z", "48h", "2027-11-01T09:00:00Z"),
            ("Europe/Paris", "2027-03-27T09:00:00Z", "25h", "2027-03-28T10:00:00Z"),
            ("Europe/Paris", "2027-03-27T09:00:00Z", "36h", "2027-03-28T21:00:00Z"),
            ("Europe/Paris", "2027-03-27T09:00:00Z", "0s", "2027-03-27T09:00:00Z"),
            // The skipped 02:30 moves forward, and the repeated one is the first.
            ("Europe/Paris", "2027-03-27T01:30:00Z", "24h", "2027-03-28T01:30:00Z"),
            ("Europe/Paris", "2027-10-30T00:30:00Z", "24h", "2027-10-31T00:30:00Z"),
            // Morocco leaves and enters daylight saving time around Ramadan.
            ("Africa/Casablanca", "2027-03-13T19:30:00Z", "24h", "2027-03-14T18:30:00Z"),
            ("Africa/Casablanca", "2027-02-06T18:30:00Z", "24h", "2027-02-07T19:30:00Z"),
            // Lord Howe Island changes by half an hour; Douala never changes.
            ("Australia/Lord_Howe", "2027-04-03T00:00:00Z", "24h", "2027-04-04T00:30:00Z"),
            ("Africa/Douala", "2027-03-27T09:00:00.000123Z", "7d", "2027-04-03T09:00:00.000123Z"),
        ] {
            assert_eq!(after(zone, from, wait), at(to), "{zone} {from} + {wait}");
        }
    }

    #[test]
    fn a_moment_without_an_offset_is_local_time() {
        let douala = Zone::parse("Africa/Douala").unwrap();
        let instant = |text| Moment::parse(text).unwrap().at(&douala);
        assert_eq!(instant("2026-12-01T08:00:00+02:00"), at("2026-12-01T06:00:00Z"));
        assert_eq!(instant("2026-12-01T08:00"), at("2026-12-01T07:00:00Z"));
        assert_eq!(instant("2026-12-01"), at("2026-11-30T23:00:00Z"));
        for bad in ["tomorrow", "2026-13-01", "2026-12-01 8h", "0001-01-01"] {
            assert!(Moment::parse(bad).is_err(), "{bad}");
        }
    }
}
