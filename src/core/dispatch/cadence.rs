//! The rhythm of a sequence: the next day, and when it is due.

use std::time::Duration;

use chrono::TimeDelta;

use crate::core::domain::{Period, Timestamp};
use crate::core::manifest::desired::{Campaign, Day, Sequence};

/// The wait before each day of a sequence: from the day before, or for day 1 from enrollment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cadence {
    waits: Vec<Period>,
}

/// The hand-over of a day: when it was due, and when it was claimed.
#[derive(Debug, Clone, Copy)]
pub struct Handed {
    pub day: u16,
    pub due_at: Timestamp,
    pub at: Timestamp,
}

impl Cadence {
    /// Returns the rhythm of `sequence` with the days that `campaign` replaces.
    pub fn of(campaign: &Campaign, sequence: &Sequence) -> Self {
        let Campaign { days, schedule, .. } = campaign;
        let wait = |(number, day): (&u16, &Day)| {
            let usual = if *number == 1 { schedule.first_after } else { schedule.every };
            days.get(number).unwrap_or(day).after.unwrap_or(usual)
        };
        Self { waits: sequence.days.iter().map(wait).collect() }
    }

    /// Returns the number of days in the sequence.
    pub fn days(&self) -> u16 {
        u16::try_from(self.waits.len()).unwrap_or(u16::MAX)
    }

    /// Returns the wait before `day`: from the day before, or for day 1 from enrollment.
    pub fn after(&self, day: u16) -> Period {
        usize::from(day).checked_sub(1).and_then(|at| self.waits.get(at)).copied().unwrap_or(Period::ZERO)
    }

    /// Returns when day 1 is due for a person who is enrolled at `now`.
    pub fn first(&self, now: Timestamp) -> Timestamp {
        now + Duration::from(self.after(1))
    }

    /// Returns when day 1 is due for one person of a pass: a microsecond per second of age keeps the newest first.
    ///
    /// The statement that enrolls people repeats this sum.
    pub fn first_of(&self, now: Timestamp, registered_at: Timestamp) -> Timestamp {
        let age = (now - registered_at).max(TimeDelta::zero());
        self.first(now) + TimeDelta::microseconds(age.num_milliseconds() / 1000)
    }

    /// Returns when `day` is due for a person who waits for it, by their enrollment or their last message.
    pub fn due(&self, day: u16, enrolled_at: Timestamp, registered_at: Timestamp, last: Option<Handed>) -> Timestamp {
        let after = |last: Handed| self.next(day.checked_sub(1)?, last.due_at, last.at);
        match last.and_then(after) {
            Some((_, due_at)) => due_at,
            None => self.first_of(enrolled_at, registered_at),
        }
    }

    /// Returns the day after `day` with its due time; `None` after the last one.
    ///
    /// The wait counts from when `day` was due, so a person's hour does not drift from day to day. It counts from `now`
    /// if that due time has passed, so a person who waited long does not get two days at once.
    pub fn next(&self, day: u16, due_at: Timestamp, now: Timestamp) -> Option<(u16, Timestamp)> {
        let next = day.checked_add(1).filter(|next| *next <= self.days())?;
        let wait = Duration::from(self.after(next));
        let planned = due_at + wait;
        Some((next, if planned > now { planned } else { now + wait }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cadence, Handed};
    use crate::core::domain::{Period, Timestamp};

    #[test]
    fn the_hour_stays_unless_it_has_passed() {
        let cadence = Cadence { waits: vec![Period::hours(6), Period::hours(24), Period::hours(48)] };
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let noon = at("2026-12-01T12:00:00Z");
        assert_eq!(cadence.first(noon), at("2026-12-01T18:00:00Z"));
        assert_eq!(cadence.next(1, noon, at("2026-12-01T15:00:00Z")), Some((2, at("2026-12-02T12:00:00Z"))));
        assert_eq!(cadence.next(2, noon, at("2026-12-05T15:00:00Z")), Some((3, at("2026-12-07T15:00:00Z"))));
        assert_eq!(cadence.next(3, noon, noon), None);
    }

    #[test]
    fn a_person_who_waits_is_due_by_their_last_message_and_the_waits_in_force() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (noon, registered) = (at("2026-12-01T12:00:00Z"), at("2026-11-30T12:00:00Z"));
        let handed = |late: &str| Some(Handed { day: 1, due_at: noon, at: at(late) });
        for (hours, due, late) in
            [(24, "2026-12-02T12:00:00Z", "2026-12-02T13:00:00Z"), (72, "2026-12-04T12:00:00Z", "")]
        {
            let cadence = Cadence { waits: vec![Period::hours(hours), Period::hours(hours)] };
            assert_eq!(cadence.due(2, noon, registered, handed("2026-12-01T12:10:00Z")), at(due));
            if !late.is_empty() {
                // The message left so late that its successor counts from it.
                assert_eq!(
                    cadence.due(2, noon, registered, handed("2026-12-02T13:00:00Z")),
                    at(late) + chrono::TimeDelta::hours(24)
                );
            }
            let first = cadence.due(1, noon, registered, None);
            assert_eq!(first, cadence.first(noon) + chrono::TimeDelta::microseconds(24 * 3_600));
        }
    }
}
