//! The health of an account: its failure and opt-out rates, its slow-downs, and the length of its restrictions.
//!
//! Rates cover a sliding window and follow `safety` in the manifests. More than 10 failures per 100 messages restrict
//! the account for a while. More than 2 opt-outs or blocks per 100 messages raise a warning, and more than 5 restrict
//! the account. Below 20 messages no rate counts. An unknown outcome counts as a failure. Providers of mail and of
//! WhatsApp begin to act at these numbers.
//!
//! The rules are pure. The store counts and restricts, under the lock of the account.

use chrono::TimeDelta;

use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::Detail;
use crate::core::manifest::desired::Safety;

/// The first restriction after failures; each further one is twice as long.
const FIRST_FAILURE_STOP: TimeDelta = TimeDelta::hours(1);
/// The first restriction of a channel; each further one is twice as long.
const FIRST_CHANNEL_STOP: TimeDelta = TimeDelta::minutes(10);
const LONGEST_STOP: TimeDelta = TimeDelta::hours(24);
/// The restriction length starts again at the shortest after this long without one.
const RESET_AFTER: TimeDelta = TimeDelta::hours(24);

/// The first wait after throttling; each further wait in a row is twice as long.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(2);
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(10);
/// Waits are in a row if one begins within this time after the end of the last.
const IN_A_ROW: TimeDelta = TimeDelta::minutes(2);

/// The attempts and failures of an account, in the current half window and in the one before.
///
/// An outcome counts in the half of its attempt, so a failure is always compared with the messages of its own time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SendStats {
    /// The start of the current half.
    pub since: Option<Timestamp>,
    /// The start of the half before, if it counts.
    pub before_since: Option<Timestamp>,
    pub now: Count,
    pub before: Count,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub handed: u32,
    pub failed: u32,
    /// The people who opted out or blocked.
    pub opted_out: u32,
}

/// The rate that a restriction follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    Failures,
    OptOuts,
}

impl SendStats {
    /// Returns the statistics at `now`, without those that are too old. The window moves by half its length.
    #[must_use]
    pub fn at(self, now: Timestamp, safety: &Safety) -> Self {
        let half = TimeDelta::seconds(i64::try_from(safety.window.as_seconds() / 2).unwrap_or(i64::MAX / 4_000));
        let fresh = |before_since, before| Self { since: Some(now), before_since, now: Count::default(), before };
        match self.since {
            Some(since) if now < since + half => self,
            Some(since) if now < since + half * 2 => fresh(self.since, self.now),
            // The window begins with the next attempt.
            None => Self::default(),
            Some(_) => fresh(None, Count::default()),
        }
    }

    /// Adds `n` attempts at this instant.
    #[must_use]
    pub fn handed(self, n: u32, at: Timestamp, safety: &Safety) -> Self {
        let mut send_stats = self.at(at, safety);
        send_stats.since.get_or_insert(at);
        send_stats.now.handed = send_stats.now.handed.saturating_add(n);
        send_stats
    }

    /// Adds the failure of an attempt made at this instant; an attempt from before the window is ignored.
    #[must_use]
    pub fn failed(mut self, handed_at: Timestamp) -> Self {
        if let Some(count) = self.half_of(handed_at) {
            count.failed = count.failed.saturating_add(1);
        }
        self
    }

    /// Adds the opt-out of a person whose last message was sent at this instant.
    #[must_use]
    pub fn opted_out(mut self, handed_at: Timestamp) -> Self {
        if let Some(count) = self.half_of(handed_at) {
            count.opted_out = count.opted_out.saturating_add(1);
        }
        self
    }

    /// Removes an attempt made at this instant, because the message was put off through no fault of its own.
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

    /// Returns true if a complaint or warning applies now that did not apply to `before`, when messages were too few.
    pub fn has_become_unwell(self, before: Self, safety: &Safety) -> bool {
        let says = |send_stats: Self| (send_stats.complaint(safety).is_some(), send_stats.warning(safety).is_some());
        let (was, is) = (says(before), says(self));
        (is.0 && !was.0) || (is.1 && !was.1)
    }

    /// Returns the reason to restrict the account, with its figures.
    pub fn complaint(self, safety: &Safety) -> Option<(Complaint, Detail)> {
        let (handed, failed, opted_out) = self.sums();
        if exceeds(failed, handed, safety.failure_percent, safety) {
            return Some((Complaint::Failures, Detail::Failures { failed, handed }));
        }
        exceeds(opted_out, handed, safety.opt_out_pause_percent, safety)
            .then_some((Complaint::OptOuts, Detail::OptOuts { people: opted_out, handed }))
    }

    /// Returns a warning if many people opt out.
    pub fn warning(self, safety: &Safety) -> Option<Detail> {
        let (handed, _, opted_out) = self.sums();
        exceeds(opted_out, handed, safety.opt_out_warn_percent, safety)
            .then_some(Detail::OptOuts { people: opted_out, handed })
    }

    fn sums(self) -> (u32, u32, u32) {
        let sum = |of: fn(Count) -> u32| of(self.now).saturating_add(of(self.before));
        (sum(|count| count.handed), sum(|count| count.failed), sum(|count| count.opted_out))
    }
}

fn exceeds(n: u32, handed: u32, percent: u32, safety: &Safety) -> bool {
    handed >= safety.floor && u64::from(n) * 100 > u64::from(handed) * u64::from(percent)
}

/// A restriction that ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthRestriction {
    /// The number of restrictions in a row, this one included.
    pub times: u32,
    pub until: Timestamp,
}

impl HealthRestriction {
    /// Returns the restriction of an account whose messages fail, after the `last` one.
    pub fn for_failures(last: Option<Self>, now: Timestamp) -> Self {
        Self::after(last, FIRST_FAILURE_STOP, now)
    }

    /// Returns the restriction of a channel that accepts nothing, after the `last` one.
    pub fn of_channel(last: Option<Self>, now: Timestamp) -> Self {
        Self::after(last, FIRST_CHANNEL_STOP, now)
    }

    fn after(last: Option<Self>, first: TimeDelta, now: Timestamp) -> Self {
        let last = last.filter(|last| now < last.until + RESET_AFTER);
        let times = last.map_or(0, |last| last.times) + 1;
        Self { times, until: now + doubled(first, times, LONGEST_STOP) }
    }
}

/// Returns the wait after throttling: as long as the provider asks, otherwise longer each time in a row.
pub fn slow_down(last: Option<HealthRestriction>, asked: Option<TimeDelta>, now: Timestamp) -> HealthRestriction {
    // Every message of a throttled batch reports it; together they count once.
    if let Some(last) = last.filter(|last| now < last.until) {
        let asked = asked.map_or(last.until, |asked| now + asked);
        return HealthRestriction { until: last.until.max(asked), ..last };
    }
    let last = last.filter(|last| now < last.until + IN_A_ROW);
    let times = last.map_or(0, |last| last.times) + 1;
    let wait = asked.map_or_else(|| doubled(FIRST_WAIT, times, LONGEST_WAIT), |asked| asked.max(TimeDelta::zero()));
    HealthRestriction { times, until: now + wait }
}

/// Returns `first` the first time, and twice as long each further time, up to `longest`.
fn doubled(first: TimeDelta, times: u32, longest: TimeDelta) -> TimeDelta {
    (first * 2_i32.pow(times.clamp(1, 20) - 1)).min(longest)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{Complaint, Detail, HealthRestriction, SendStats, slow_down};
    use crate::core::domain::{Period, Timestamp};
    use crate::core::manifest::desired::Safety;

    const HOUR: fn(i64) -> TimeDelta = TimeDelta::hours;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn rates_need_twenty_messages_and_ignore_old_ones() {
        let (start, usual) = (at("2026-12-01T08:00:00Z"), Safety::default());
        let failed = |send_stats: SendStats, n: u32| (0..n).fold(send_stats, |send_stats, _| send_stats.failed(start));
        let few = failed(SendStats::default().handed(19, start, &usual), 19);
        assert_eq!(few.complaint(&usual), None);
        let complaint = few.handed(1, start, &usual).complaint(&usual);
        assert_eq!(complaint, Some((Complaint::Failures, Detail::Failures { failed: 19, handed: 20 })));
        let tenth = failed(SendStats::default().handed(100, start, &usual), 10);
        assert_eq!(tenth.complaint(&usual), None);
        assert!(tenth.failed(start).complaint(&usual).is_some());
        let bad = failed(tenth, 40);
        assert!(bad.at(start + HOUR(23), &usual).complaint(&usual).is_some());
        assert_eq!(bad.at(start + HOUR(24), &usual).complaint(&usual), None);
        let later = bad.handed(400, start + HOUR(12), &usual);
        assert_eq!(later.complaint(&usual), None);
        assert_eq!(later.at(start + HOUR(25), &usual).before.handed, 400);
    }

    #[test]
    fn opt_out_rates_warn_and_restrict_as_the_manifests_configure() {
        let (start, usual) = (at("2026-12-01T08:00:00Z"), Safety::default());
        let of =
            |handed, n: u32| (0..n).fold(SendStats::default().handed(handed, start, &usual), |t, _| t.opted_out(start));
        for (handed, n, warned, stopped) in [
            (19, 19, false, false),
            (100, 2, false, false),
            (100, 3, true, false),
            (100, 5, true, false),
            (100, 6, true, true),
        ] {
            let send_stats = of(handed, n);
            assert_eq!(
                (send_stats.warning(&usual).is_some(), send_stats.complaint(&usual).is_some()),
                (warned, stopped),
                "{n}"
            );
        }
        assert_eq!(of(20, 2).complaint(&usual), Some((Complaint::OptOuts, Detail::OptOuts { people: 2, handed: 20 })));
        let strict = Safety { floor: 10, opt_out_warn_percent: 1, opt_out_pause_percent: 20, ..usual };
        assert_eq!(of(10, 1).warning(&strict), Some(Detail::OptOuts { people: 1, handed: 10 }));
        assert_eq!((of(10, 2).complaint(&strict), of(10, 3).complaint(&strict).is_some()), (None, true));
        let short = Safety { window: Period::hours(2), ..usual };
        let bad = of(20, 20);
        assert!(bad.at(start + HOUR(1), &short).complaint(&short).is_some());
        assert_eq!(bad.at(start + HOUR(2), &short).complaint(&short), None);
        let lenient = Safety { failure_percent: 50, ..usual };
        let failed = (0..10).fold(of(20, 0), |send_stats, _| send_stats.failed(start));
        assert_eq!((failed.complaint(&lenient), failed.complaint(&usual).is_some()), (None, true));
    }

    #[test]
    fn a_result_counts_in_the_half_window_of_its_send() {
        let (start, usual) = (at("2026-12-01T08:00:00Z"), Safety::default());
        let hour = |n| start + HOUR(n);
        let send_stats = SendStats::default().handed(30, start, &usual).handed(10, hour(13), &usual);
        let both = send_stats.failed(hour(1)).opted_out(hour(2)).failed(hour(13)).put_off(hour(14));
        assert_eq!((both.before.failed, both.before.opted_out, both.now.failed), (1, 1, 1));
        assert_eq!((both.before.handed, both.now.handed), (30, 9));
        // These instants lie before the window, or before it began again.
        assert_eq!(send_stats.failed(hour(-1)).opted_out(hour(-1)), send_stats);
        assert_eq!(SendStats::default().at(hour(1), &usual).failed(hour(1)), SendStats::default());
        let anew = SendStats::default().handed(20, hour(14), &usual);
        assert_eq!(anew.failed(hour(13)).put_off(hour(13)), anew);
        // A day later, the first half no longer counts.
        let later = send_stats.at(hour(26), &usual);
        assert_eq!(later.failed(hour(1)), later);
        assert_eq!(later.failed(hour(13)).before.failed, 1);
    }

    #[test]
    fn restrictions_double_until_a_quiet_period() {
        let (mut now, mut last, mut hours) = (at("2026-12-01T08:00:00Z"), None, Vec::new());
        for _ in 0..7 {
            let stop = HealthRestriction::for_failures(last, now);
            hours.push((stop.until - now).num_hours());
            (now, last) = (stop.until + TimeDelta::minutes(5), Some(stop));
        }
        assert_eq!(hours, [1, 2, 4, 8, 16, 24, 24]);
        let later = now + TimeDelta::hours(24);
        assert_eq!(
            HealthRestriction::for_failures(last, later),
            HealthRestriction { times: 1, until: later + TimeDelta::hours(1) }
        );
        assert_eq!(HealthRestriction::of_channel(None, now).until, now + TimeDelta::minutes(10));
    }

    #[test]
    fn repeated_throttling_doubles_the_wait() {
        let (mut now, mut last, mut seconds) = (at("2026-12-01T08:00:00Z"), None, Vec::new());
        for _ in 0..11 {
            let stop = slow_down(last, None, now);
            seconds.push((stop.until - now).num_seconds());
            // The rest of the batch reports the same.
            assert_eq!(slow_down(Some(stop), None, now), stop);
            (now, last) = (stop.until, Some(stop));
        }
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        let later = now + TimeDelta::minutes(2);
        assert_eq!(slow_down(last, None, later).until, later + TimeDelta::seconds(2));
        let asked = slow_down(last, Some(TimeDelta::seconds(90)), now);
        assert_eq!(asked.until, now + TimeDelta::seconds(90));
        // Thirty-two requests of one batch count once.
        let first = slow_down(None, Some(TimeDelta::seconds(1)), now);
        let batch = (0..31).fold(first, |last, _| slow_down(Some(last), Some(TimeDelta::seconds(1)), now));
        assert_eq!(batch, HealthRestriction { times: 1, until: now + TimeDelta::seconds(1) });
        // A shorter request does not shorten the current wait.
        assert_eq!(slow_down(Some(asked), Some(TimeDelta::seconds(1)), now).until, asked.until);
    }
}
