//! The effect of an edit on people under way: those whose days are gone, those who wait for another instant, and those
//! who will read a text again.

use std::collections::BTreeSet;

use crate::core::dispatch::cadence::{Cadence, Handed};
use crate::core::dispatch::program::{Whereabouts, zone_for};
use crate::core::domain::{Timestamp, Zone};
use crate::core::lifecycle::target::Event;
use crate::core::manifest::desired::{Campaign, Day, Schedule, Sequence};

/// A campaign before or after an edit, with its sequence.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    pub spec: &'a Campaign,
    pub sequence: &'a Sequence,
}

/// The effect of an edit of one campaign on people under way, by the day that they get next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnderWay {
    cadence: Option<Cadence>,
    schedule: Option<Schedule>,
    /// The days before which people wait for another time than until now.
    retimed: BTreeSet<u16>,
    /// The days from which a person will read a text that they have had.
    repeated: BTreeSet<u16>,
    /// Days were taken away at the end.
    is_shorter: bool,
}

/// A person under way.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    /// The zone of their account.
    pub account: &'a Zone,
    pub whereabouts: Whereabouts<'a>,
    /// The day that they get next.
    pub day: u16,
    pub enrolled_at: Timestamp,
    pub registered_at: Timestamp,
    /// The hand-over of their last message; `None` before the first.
    pub last: Option<Handed>,
}

impl UnderWay {
    pub fn of(before: Version<'_>, after: Version<'_>) -> Self {
        let [old, new] = [before, after].map(|version| Cadence::of(version.spec, version.sequence));
        let retimed = (1..=old.days().min(new.days())).filter(|day| old.after(*day) != new.after(*day)).collect();
        let [had, comes] = [before.days(), after.days()];
        let repeated =
            (2..=old.days().min(new.days())).filter(|day| repeats(&had, &comes, usize::from(*day) - 1)).collect();
        Self {
            retimed,
            repeated,
            is_shorter: new.days() < old.days(),
            cadence: Some(new),
            schedule: Some(after.spec.schedule.clone()),
        }
    }

    /// Returns true if the edit moves nobody who waits.
    pub fn moves_nobody(&self) -> bool {
        self.retimed.is_empty() && !self.is_shorter
    }

    /// Returns the number of days after the edit.
    pub fn days(&self) -> u16 {
        self.cadence.as_ref().map_or(0, Cadence::days)
    }

    /// Returns true if the edit takes the next day of these people away.
    pub fn completes(&self, day: u16) -> bool {
        self.is_shorter && day > self.days()
    }

    /// Returns true if the edit changes when these people get their next day.
    pub fn retimes(&self, day: u16) -> bool {
        self.retimed.contains(&day)
    }

    /// Returns true if these people will read a text again that they have had.
    pub fn repeats(&self, day: u16) -> bool {
        self.repeated.contains(&day)
    }

    /// Returns the event of a person under way; `None` if nothing changes for them.
    pub fn event(&self, person: Waiting<'_>) -> Option<Event> {
        if self.completes(person.day) {
            return Some(Event::Finished);
        }
        let cadence = self.cadence.as_ref().filter(|_| self.retimes(person.day))?;
        let schedule = self.schedule.as_ref()?;
        // The first day counts in the zone of the schedule or the account, as for enrollment.
        let usual = schedule.timezone.as_ref().unwrap_or(person.account);
        let zone = person.last.map_or(usual, |_| zone_for(schedule, person.whereabouts, person.account));
        let until = cadence.due(person.day, (person.enrolled_at, person.registered_at), person.last, zone);
        Some(Event::Held { until })
    }
}

impl<'a> Version<'a> {
    /// Returns the days in order, each as this campaign sends it.
    fn days(self) -> Vec<&'a Day> {
        self.sequence.days.iter().map(|(number, day)| self.spec.days.get(number).unwrap_or(day)).collect()
    }
}

/// Returns true if a person who had the first `had` of the old days reads one of them again in the rest of the new days,
/// and would not have done so in the rest of the old ones.
fn repeats(old: &[&Day], new: &[&Day], had: usize) -> bool {
    let again = |rest: &[&Day], one: &Day| rest.iter().any(|day| same_text(day, one));
    let (old_rest, new_rest) = (old.get(had..).unwrap_or_default(), new.get(had..).unwrap_or_default());
    old.iter().take(had).any(|one| again(new_rest, one) && !again(old_rest, one))
}

/// Returns true if some reader cannot tell the days apart: one text, template or medium is the same.
fn same_text(one: &Day, other: &Day) -> bool {
    let texts = || one.text.iter().any(|(language, text)| other.text.get(language).is_some_and(|it| it == text));
    match (&one.whatsapp_template, &other.whatsapp_template) {
        (Some(one), Some(other)) => one == other,
        _ if one.text.is_empty() && other.text.is_empty() => !one.media.is_empty() && one.media == other.media,
        _ => texts(),
    }
}

#[cfg(test)]
mod tests {
    use super::{UnderWay, repeats};
    use crate::core::manifest::desired::Day;

    fn days(texts: &[&str]) -> Vec<Day> {
        let day = |text: &&str| serde_json::from_value(serde_json::json!({"text": {"fr": text}})).unwrap();
        texts.iter().map(day).collect()
    }

    /// Returns the numbers of old days after which a person reads something again.
    fn again(old: &[&str], new: &[&str]) -> Vec<usize> {
        let (old, new) = (days(old), days(new));
        let (old, new): (Vec<&Day>, Vec<&Day>) = (old.iter().collect(), new.iter().collect());
        (0..old.len()).filter(|had| repeats(&old, &new, *had)).collect()
    }

    #[test]
    fn a_text_is_read_again_by_people_who_had_it_before_a_day_was_put_in() {
        assert_eq!(again(&["a", "b", "c"], &["a", "new", "b", "c"]), [2]);
        assert_eq!(again(&["a", "b", "c"], &["new", "a", "b", "c"]), [1, 2]);
        // Swapped days repeat one text and lose the other.
        assert_eq!(again(&["a", "b", "c"], &["b", "a", "c"]), [1]);
        assert_eq!(again(&["a", "b"], &["a", "b", "a"]), [1]);
    }

    #[test]
    fn edits_that_repeat_nothing_alarm_nobody() {
        assert_eq!(again(&["a", "b", "c"], &["a", "better", "c"]), [] as [usize; 0]);
        assert_eq!(again(&["a", "b", "c"], &["a", "b"]), [] as [usize; 0]);
        assert_eq!(again(&["a", "b"], &["a", "b", "new"]), [] as [usize; 0]);
        // The same text every day was there before.
        assert_eq!(again(&["a", "a", "a"], &["a", "a", "a", "a"]), [] as [usize; 0]);
        assert!(UnderWay::default().moves_nobody());
    }
}
