//! The rhythm of a sequence: the next day, and when it is due.

use chrono::TimeDelta;

use crate::core::domain::{Period, Timestamp, Zone};
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

    /// Returns when day 1 is due for a person who is enrolled at `now`. Whole days are local days of `zone`.
    pub fn first(&self, now: Timestamp, zone: &Zone) -> Timestamp {
        zone.after(now, self.after(1))
    }

    /// Returns when day 1 is due for one person of a pass: a microsecond per second of age keeps the newest first.
    ///
    /// The statement that enrolls people repeats this sum.
    pub fn first_of(&self, now: Timestamp, registered_at: Timestamp, zone: &Zone) -> Timestamp {
        let age = (now - registered_at).max(TimeDelta::zero());
        self.first(now, zone) + TimeDelta::microseconds(age.num_milliseconds() / 1000)
    }

    /// Returns when `day` is due for a person who waits for it, by their enrollment or their last message.
    /// Whole days are local days of `zone`.
    pub fn due(
        &self,
        day: u16,
        (enrolled_at, registered_at): (Timestamp, Timestamp),
        last: Option<Handed>,
        zone: &Zone,
    ) -> Timestamp {
        let after = |last: Handed| self.next(day.checked_sub(1)?, last.due_at, last.at, zone);
        match last.and_then(after) {
            Some((_, due_at)) => due_at,
            None => self.first_of(enrolled_at, registered_at, zone),
        }
    }

    /// Returns the day after `day` with its due time; `None` after the last one.
    ///
    /// The wait counts from when `day` was due, so a person's hour does not drift from day to day. It counts from `now`
    /// if that due time has passed, so a person who waited long does not get two days at once. Whole days are local days
    /// of `zone`: the hour stays over clock changes.
    pub fn next(&self, day: u16, due_at: Timestamp, now: Timestamp, zone: &Zone) -> Option<(u16, Timestamp)> {
        let next = day.checked_add(1).filter(|next| *next <= self.days())?;
        let wait = self.after(next);
        let planned = zone.after(due_at, wait);
        Some((next, if planned > now { planned } else { zone.after(now, wait) }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cadence, Handed};
    use crate::core::domain::{Period, Timestamp, Zone};

    #[test]
    fn the_next_day_keeps_its_hour_unless_it_has_passed() {
        let cadence = Cadence { waits: vec![Period::hours(6), Period::hours(24), Period::hours(48)] };
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (noon, utc) = (at("2026-12-01T12:00:00Z"), Zone::utc());
        assert_eq!(cadence.first(noon, &utc), at("2026-12-01T18:00:00Z"));
        assert_eq!(cadence.next(1, noon, at("2026-12-01T15:00:00Z"), &utc), Some((2, at("2026-12-02T12:00:00Z"))));
        assert_eq!(cadence.next(2, noon, at("2026-12-05T15:00:00Z"), &utc), Some((3, at("2026-12-07T15:00:00Z"))));
        assert_eq!(cadence.next(3, noon, noon, &utc), None);
    }

    #[test]
    fn a_person_keeps_their_hour_over_a_clock_change_whether_late_or_not() {
        let day = Period::parse("24h").unwrap();
        let cadence = Cadence { waits: vec![Period::parse("1d").unwrap(), day, day, Period::hours(23)] };
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        // Paris goes forward on 28 March 2027: ten o'clock is 09:00 UTC before, and 08:00 after.
        let paris = Zone::parse("Europe/Paris").unwrap();
        let before = at("2027-03-27T09:00:00Z");
        assert_eq!(cadence.first(before, &paris), at("2027-03-28T08:00:00Z"));
        assert_eq!(cadence.next(1, before, before, &paris), Some((2, at("2027-03-28T08:00:00Z"))));
        let late = at("2027-03-27T10:00:00Z");
        let overdue = at("2027-03-25T09:00:00Z");
        assert_eq!(cadence.next(2, overdue, late, &paris), Some((3, at("2027-03-28T09:00:00Z"))));
        assert_eq!(cadence.next(3, before, before, &paris), Some((4, at("2027-03-28T08:00:00Z"))));
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
            assert_eq!(cadence.due(2, (noon, registered), handed("2026-12-01T12:10:00Z"), &Zone::utc()), at(due));
            if !late.is_empty() {
                // The message left so late that its successor counts from it.
                assert_eq!(
                    cadence.due(2, (noon, registered), handed("2026-12-02T13:00:00Z"), &Zone::utc()),
                    at(late) + chrono::TimeDelta::hours(24)
                );
            }
            let first = cadence.due(1, (noon, registered), None, &Zone::utc());
            assert_eq!(first, cadence.first(noon, &Zone::utc()) + chrono::TimeDelta::microseconds(24 * 3_600));
        }
    }
}
