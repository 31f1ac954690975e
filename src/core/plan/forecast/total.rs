//! The total of a campaign's outlooks over all its accounts.

use std::collections::BTreeMap;

use super::outlook::{Endless, Finish, Limit, Outlook};
use crate::core::domain::{NaiveDate, Timestamp};

/// The forecast of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Total {
    pub runs: u64,
    pub enrolled_now: u64,
    pub enrolled: u64,
    /// The people enrolled by runs that send messages.
    pub reached: u64,
    /// The most people enrolled on one local day.
    pub enrolled_per_day: u64,
    pub first_at: Option<Timestamp>,
    /// The end of the last run that ends.
    pub finish_at: Option<Timestamp>,
    /// The number of runs without an end, by the reason.
    pub never: BTreeMap<Endless, u64>,
    /// The messages by local day of the accounts; days without messages are left out.
    pub messages: BTreeMap<NaiveDate, u64>,
    /// The limit of the run that ends last.
    pub limit: Option<Limit>,
}

impl Total {
    pub fn of<'a>(outlooks: impl IntoIterator<Item = &'a Outlook>) -> Self {
        let mut total = Self::default();
        let mut enrolled: BTreeMap<NaiveDate, u64> = BTreeMap::new();
        let mut last = None;
        for outlook in outlooks {
            total.runs += 1;
            total.enrolled_now += outlook.enrolled_now;
            for (day, people) in &outlook.enrolled {
                *enrolled.entry(*day).or_default() += people;
            }
            for (day, messages) in &outlook.messages {
                *total.messages.entry(*day).or_default() += u64::from(*messages);
            }
            total.reached += if outlook.messages.is_empty() { 0 } else { outlook.enrolled.values().sum() };
            total.first_at = [total.first_at, outlook.first_at].into_iter().flatten().min();
            match outlook.finish {
                Finish::At(at) => total.finish_at = total.finish_at.max(Some(at)),
                Finish::Never(why) => *total.never.entry(why).or_default() += 1,
            }
            // Among runs without an end, the one with the last message counts.
            let end = (outlook.finish.at(), outlook.messages.keys().last().copied());
            if last.is_none_or(|last| end > last) {
                (last, total.limit) = (Some(end), Some(outlook.limit));
            }
        }
        total.enrolled = enrolled.values().sum();
        total.enrolled_per_day = enrolled.values().max().copied().unwrap_or_default();
        total
    }

    pub fn messages_total(&self) -> u64 {
        self.messages.values().sum()
    }

    /// Returns the most messages on one day.
    pub fn messages_per_day(&self) -> u64 {
        self.messages.values().max().copied().unwrap_or_default()
    }

    /// Returns true if every day has the same number of messages, except the last days.
    pub fn is_even(&self) -> bool {
        let most = self.messages_per_day();
        let mut rest = self.messages.values().skip_while(|count| **count == most);
        self.days() == self.messages.len() as u64 && rest.all(|count| *count < most)
    }

    /// Returns the days from the first message to the last, both included.
    pub fn days(&self) -> u64 {
        let (first, last) = (self.messages.keys().next(), self.messages.keys().last());
        first.zip(last).map_or(0, |(first, last)| (*last - *first).num_days().unsigned_abs() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Endless, Finish, Limit, Outlook, Total};

    #[test]
    fn a_forecast_total_ends_with_the_last_run_and_sums_days() {
        let outlook = |finish, messages: &[(&str, u32)], limit| Outlook {
            enrolled_now: 1,
            enrolled: [("2026-12-01".parse().unwrap(), 2)].into(),
            first_at: None,
            finish,
            messages: messages.iter().map(|(day, count)| (day.parse().unwrap(), *count)).collect(),
            limit,
        };
        let at = |text: &str| text.parse().unwrap();
        let end = at("2026-12-05T09:00:00Z");
        let total = Total::of([
            &outlook(Finish::At(end), &[("2026-12-01", 3), ("2026-12-03", 4)], Limit::Pace),
            &outlook(Finish::At(at("2026-12-02T09:00:00Z")), &[("2026-12-01", 4)], Limit::Window),
            &outlook(Finish::Never(Endless::Paused), &[], Limit::Cadence),
        ]);
        assert_eq!(
            (total.runs, total.enrolled_now, total.enrolled, total.reached, total.enrolled_per_day),
            (3, 3, 6, 4, 6)
        );
        assert_eq!((total.finish_at, total.limit), (Some(end), Some(Limit::Pace)));
        assert_eq!(total.never, [(Endless::Paused, 1)].into());
        assert_eq!((total.messages_total(), total.messages_per_day(), total.days()), (11, 7, 3));
        for (messages, even) in [
            (&[("2026-12-01", 4), ("2026-12-02", 4), ("2026-12-03", 3)][..], true),
            (&[("2026-12-01", 3), ("2026-12-02", 4)], false),
            (&[("2026-12-01", 4), ("2026-12-03", 4)], false),
        ] {
            assert_eq!(Total::of([&outlook(Finish::At(end), messages, Limit::Pace)]).is_even(), even, "{messages:?}");
        }
    }
}
