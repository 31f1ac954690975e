//! The schema of `kind: Schedule`, and of `schedule` in a campaign or in `Defaults`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::{Clock, Moment, NaiveDate, Period, Weekday, Window, Windows, Zone};
use crate::core::manifest::desired::{Schedule, ZoneOf};
use crate::core::manifest::syntax::document::Document;

const FIRST_AFTER: Period = Period::hours(6);
const EVERY: Period = Period::hours(24);

/// The times at which messages may leave.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct ScheduleSpec {
    /// The time from which messages may leave; at once by default.
    pub(in crate::core::manifest) start_at: Option<Moment>,
    /// The time from which no message may leave; by default there is none.
    pub(in crate::core::manifest) end_at: Option<Moment>,
    /// The IANA time zone of windows, days and local times; by default that of the account.
    pub(in crate::core::manifest) timezone: Option<Zone>,
    /// The hours in which messages may leave; 08:00 to 20:00 every day by default.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) windows: Option<Vec<WindowSpec>>,
    /// The owner of the local time that windows and whole days use: the `account`, or each `recipient`. The zone of a
    /// recipient is the `timezone` of the import, else the only zone of the country, else that of the account.
    pub(in crate::core::manifest) zone: Option<ZoneOf>,
    /// The time from enrollment to day 1; 6h by default.
    pub(in crate::core::manifest) first_after: Option<Period>,
    /// The time from one day to the next; 24h by default. Whole days (`24h`, `7d`) are local days: people keep their hour
    /// over clock changes.
    pub(in crate::core::manifest) every: Option<Period>,
    /// Dates on which no message leaves.
    pub(in crate::core::manifest) blackouts: Option<Vec<NaiveDate>>,
}

/// A time window on some days of the week; `from` is included, `to` is not.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct WindowSpec {
    /// The days of the week; every day by default.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) days: Option<Vec<Weekday>>,
    /// The time of day at which the window opens.
    pub(in crate::core::manifest) from: Clock,
    /// The time of day at which the window closes, at most `24:00`.
    pub(in crate::core::manifest) to: Clock,
}

impl ScheduleSpec {
    /// Reports schedules that never open; `at` is the JSON pointer of the schedule.
    pub(in crate::core::manifest) fn check(&self, document: &Document<'_>, at: &str, found: &mut Vec<Diagnostic>) {
        if let (Some(start), Some(end)) = (self.start_at, self.end_at) {
            let zone = self.timezone.clone().unwrap_or_else(Zone::utc);
            if start.at(&zone) >= end.at(&zone) {
                let place = document.place(&format!("{at}/endAt"));
                let message = "`endAt` is not after `startAt`: nothing would ever be sent";
                found.push(
                    Diagnostic::new(Code::EndsBeforeStart, place, message).help("swap the two, or correct the year"),
                );
            }
        }
        for (index, window) in self.windows.iter().flatten().enumerate().filter(|(_, w)| w.from >= w.to) {
            let place = document.place(&format!("{at}/windows/{index}/to"));
            let (from, to) = (String::from(window.from), String::from(window.to));
            let message = format!("the window from `{from}` to `{to}` is empty");
            let help = if from == to {
                "for a whole day, write `00:00` to `24:00`".to_owned()
            } else {
                format!("over midnight, write two windows: `{from}` to `24:00` and `00:00` to `{to}`")
            };
            found.push(Diagnostic::new(Code::EmptyWindow, place, message).help(help));
        }
    }

    /// Returns the schedule with missing keys taken from `other`.
    pub(in crate::core::manifest) fn or(&self, other: &Self) -> Self {
        Self {
            start_at: self.start_at.or(other.start_at),
            end_at: self.end_at.or(other.end_at),
            timezone: self.timezone.clone().or_else(|| other.timezone.clone()),
            windows: self.windows.clone().or_else(|| other.windows.clone()),
            zone: self.zone.or(other.zone),
            first_after: self.first_after.or(other.first_after),
            every: self.every.or(other.every),
            blackouts: self.blackouts.clone().or_else(|| other.blackouts.clone()),
        }
    }

    pub(in crate::core::manifest) fn resolve(&self) -> Schedule {
        let mut windows: Vec<Window> = match &self.windows {
            Some(windows) => windows.iter().map(WindowSpec::resolve).collect(),
            None => vec![business_hours()],
        };
        windows.sort_unstable();
        windows.dedup();
        let mut blackouts = self.blackouts.clone().unwrap_or_default();
        blackouts.sort_unstable();
        blackouts.dedup();
        Schedule {
            start_at: self.start_at,
            end_at: self.end_at,
            timezone: self.timezone.clone(),
            zone: self.zone.unwrap_or_default(),
            windows: Windows { windows, blackouts },
            first_after: self.first_after.unwrap_or(FIRST_AFTER),
            every: self.every.unwrap_or(EVERY),
        }
    }
}

impl WindowSpec {
    fn resolve(&self) -> Window {
        let mut days = self.days.clone().unwrap_or_else(|| Weekday::ALL.to_vec());
        days.sort_unstable();
        days.dedup();
        Window { days, from: self.from, to: self.to }
    }
}

fn business_hours() -> Window {
    let clock = |text: &str| text.parse::<Clock>().expect("a constant time of day");
    Window { days: Weekday::ALL.to_vec(), from: clock("08:00"), to: clock("20:00") }
}
