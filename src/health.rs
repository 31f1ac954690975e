//! How an account fares: how often it fails, how long it slows down, and for how long it is stopped.
//!
//! Pure rules; who counts and who stops is the store's to do, under the lock of the account.

use chrono::TimeDelta;

use crate::domain::Timestamp;

/// Hand-overs below which no rate is worth anything.
pub const FLOOR: u32 = 20;
/// Failed hand-overs, of a hundred, above which an account is stopped.
pub const FAILURE_PERCENT: u32 = 10;
/// The window over which rates are taken moves on by half of itself.
const HALF: TimeDelta = TimeDelta::hours(12);

/// The first stop for failures; each is twice as long as the one before.
const FIRST_FAILURE_STOP: TimeDelta = TimeDelta::hours(1);
/// The first stop of a channel; each is twice as long as the one before.
const FIRST_CHANNEL_STOP: TimeDelta = TimeDelta::minutes(10);
const LONGEST_STOP: TimeDelta = TimeDelta::hours(24);
/// A stop begins with the shortest again when the last one has been over for this long.
const FORGOTTEN: TimeDelta = TimeDelta::hours(24);

/// The first wait of a sender that is too fast; each in a row is twice as long as the one before.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(2);
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(10);
/// Waits are in a row when one begins before the last has been over for this long.
const IN_A_ROW: TimeDelta = TimeDelta::minutes(2);

/// Hand-overs and failures of an account, of the half window that runs and of the one before. What becomes of a hand-over
/// counts in the half of the hand-over, so that a failure is never held against fewer messages than it is one of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// When the half that runs began.
    pub since: Option<Timestamp>,
    /// When the one before did, if it counts.
    pub before_since: Option<Timestamp>,
    pub now: Count,
    pub before: Count,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub handed: u32,
    pub failed: u32,
}

impl Tally {
    /// The tally at `now`: what is too old is left out.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let fresh = |before_since, before| Self { since: Some(now), before_since, now: Count::default(), before };
        match self.since {
            Some(since) if now < since + HALF => self,
            Some(since) if now < since + HALF * 2 => fresh(self.since, self.now),
            // It begins with the next hand-over.
            None => Self::default(),
            Some(_) => fresh(None, Count::default()),
        }
    }

    /// So many more were handed over at this instant.
    #[must_use]
    pub fn handed(self, n: u32, at: Timestamp) -> Self {
        let mut tally = self.at(at);
        tally.since.get_or_insert(at);
        tally.now.handed = tally.now.handed.saturating_add(n);
        tally
    }

    /// One that was handed over at this instant failed; one from before the window says nothing any more.
    #[must_use]
    pub fn failed(mut self, handed_at: Timestamp) -> Self {
        if let Some(count) = self.half_of(handed_at) {
            count.failed = count.failed.saturating_add(1);
        }
        self
    }

    /// One that was handed over at this instant does not count: it was put off through no fault of its own.
    #[must_use]
    pub fn put_off(mut self, handed_at: Timestamp) -> Self {
        if let Some(count) = self.half_of(handed_at) {
            count.handed = count.handed.saturating_sub(1);
        }
        self
    }

    fn half_of(&mut self, handed_at: Timestamp) -> Option<&mut Count> {
        let began = |since: Option<Timestamp>| since.is_some_and(|since| since <= handed_at);
        match (began(self.since), began(self.before_since)) {
            (true, _) => Some(&mut self.now),
            (false, true) => Some(&mut self.before),
            (false, false) => None,
        }
    }

    /// Whether too much fails; a sentence that says how much.
    pub fn complaint(self) -> Option<String> {
        let handed = self.now.handed.saturating_add(self.before.handed);
        let failed = self.now.failed.saturating_add(self.before.failed);
        let too_many = u64::from(failed) * 100 > u64::from(handed) * u64::from(FAILURE_PERCENT);
        (handed >= FLOOR && too_many).then(|| format!("{failed} of its last {handed} messages failed"))
    }
}

/// A stop that ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// How often in a row, this time included.
    pub times: u32,
    pub until: Timestamp,
}

impl Stop {
    /// Of an account whose messages fail, after `last` time.
    pub fn for_failures(last: Option<Self>, now: Timestamp) -> Self {
        Self::after(last, FIRST_FAILURE_STOP, now)
    }

    /// Of a channel that takes nothing, after `last` time.
    pub fn of_channel(last: Option<Self>, now: Timestamp) -> Self {
        Self::after(last, FIRST_CHANNEL_STOP, now)
    }

    fn after(last: Option<Self>, first: TimeDelta, now: Timestamp) -> Self {
        let last = last.filter(|last| now < last.until + FORGOTTEN);
        let times = last.map_or(0, |last| last.times) + 1;
        Self { times, until: now + doubled(first, times, LONGEST_STOP) }
    }
}

/// How long a sender that is too fast waits: as long as the provider asks for, else longer each time in a row.
pub fn slow_down(last: Option<Stop>, asked: Option<TimeDelta>, now: Timestamp) -> Stop {
    // Of a batch that was too fast every message says so; that is one time.
    if let Some(last) = last.filter(|last| now < last.until) {
        let asked = asked.map_or(last.until, |asked| now + asked);
        return Stop { until: last.until.max(asked), ..last };
    }
    let last = last.filter(|last| now < last.until + IN_A_ROW);
    let times = last.map_or(0, |last| last.times) + 1;
    let wait = asked.map_or_else(|| doubled(FIRST_WAIT, times, LONGEST_WAIT), |asked| asked.max(TimeDelta::zero()));
    Stop { times, until: now + wait }
}

/// `first` the first time, twice as long each further time.
fn doubled(first: TimeDelta, times: u32, longest: TimeDelta) -> TimeDelta {
    (first * 2_i32.pow(times.clamp(1, 20) - 1)).min(longest)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{Stop, Tally, slow_down};
    use crate::domain::Timestamp;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_counts_from_twenty_on_and_what_is_old_is_left_out() {
        let start = at("2026-12-01T08:00:00Z");
        let failed = |tally: Tally, n: u32, at| (0..n).fold(tally, |tally, _| tally.failed(at));
        let few = failed(Tally::default().handed(19, start), 19, start);
        assert_eq!(few.complaint(), None);
        assert_eq!(few.handed(1, start).complaint().unwrap(), "19 of its last 20 messages failed");
        let tenth = failed(Tally::default().handed(100, start), 10, start);
        assert_eq!(tenth.complaint(), None);
        assert!(tenth.failed(start).complaint().is_some());
        let bad = failed(tenth, 40, start);
        assert!(bad.at(start + TimeDelta::hours(23)).complaint().is_some());
        assert_eq!(bad.at(start + TimeDelta::hours(24)).complaint(), None);
        let later = bad.handed(400, start + TimeDelta::hours(12));
        assert_eq!(later.complaint(), None);
        assert_eq!(later.at(start + TimeDelta::hours(25)).before.handed, 400);
    }

    #[test]
    fn what_becomes_of_a_message_counts_in_the_half_in_which_it_was_handed_over() {
        let start = at("2026-12-01T08:00:00Z");
        let hour = |n| start + TimeDelta::hours(n);
        let tally = Tally::default().handed(30, start).handed(10, hour(13));
        let both = tally.failed(hour(1)).failed(hour(2)).failed(hour(13)).put_off(hour(14));
        assert_eq!((both.before.failed, both.now.failed), (2, 1));
        assert_eq!((both.before.handed, both.now.handed), (30, 9));
        // From before the window, or before it began anew.
        assert_eq!(tally.failed(hour(-1)), tally);
        assert_eq!(Tally::default().at(hour(1)).failed(hour(1)), Tally::default());
        let anew = Tally::default().handed(20, hour(14));
        assert_eq!(anew.failed(hour(13)).put_off(hour(13)), anew);
        // A day later the first half is forgotten.
        let later = tally.at(hour(26));
        assert_eq!(later.failed(hour(1)), later);
        assert_eq!(later.failed(hour(13)).before.failed, 1);
    }

    #[test]
    fn stops_become_longer_until_one_is_long_ago() {
        let (mut now, mut last, mut hours) = (at("2026-12-01T08:00:00Z"), None, Vec::new());
        for _ in 0..7 {
            let stop = Stop::for_failures(last, now);
            hours.push((stop.until - now).num_hours());
            (now, last) = (stop.until + TimeDelta::minutes(5), Some(stop));
        }
        assert_eq!(hours, [1, 2, 4, 8, 16, 24, 24]);
        let later = now + TimeDelta::hours(24);
        assert_eq!(Stop::for_failures(last, later), Stop { times: 1, until: later + TimeDelta::hours(1) });
        assert_eq!(Stop::of_channel(None, now).until, now + TimeDelta::minutes(10));
    }

    #[test]
    fn a_sender_that_is_too_fast_waits_longer_each_time_in_a_row() {
        let (mut now, mut last, mut seconds) = (at("2026-12-01T08:00:00Z"), None, Vec::new());
        for _ in 0..11 {
            let stop = slow_down(last, None, now);
            seconds.push((stop.until - now).num_seconds());
            // The rest of the batch says the same.
            assert_eq!(slow_down(Some(stop), None, now), stop);
            (now, last) = (stop.until, Some(stop));
        }
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        let later = now + TimeDelta::minutes(2);
        assert_eq!(slow_down(last, None, later).until, later + TimeDelta::seconds(2));
        let asked = slow_down(last, Some(TimeDelta::seconds(90)), now);
        assert_eq!(asked.until, now + TimeDelta::seconds(90));
        // Thirty-two of a batch that ask for it are one time.
        let first = slow_down(None, Some(TimeDelta::seconds(1)), now);
        let batch = (0..31).fold(first, |last, _| slow_down(Some(last), Some(TimeDelta::seconds(1)), now));
        assert_eq!(batch, Stop { times: 1, until: now + TimeDelta::seconds(1) });
        // Who asks for less than what is waited for already does not shorten it.
        assert_eq!(slow_down(Some(asked), Some(TimeDelta::seconds(1)), now).until, asked.until);
    }
}
