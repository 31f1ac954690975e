//! The pace of an account: when its next message may leave.

use chrono::TimeDelta;

use crate::domain::{Period, Timestamp, mix};
use crate::manifest::desired::{Pacing, Wave};

/// Where a lane stands in its pace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// Nothing leaves before this instant; `None`: nothing has left yet.
    pub next_slot_at: Option<Timestamp>,
    /// Index of the wave that is going out.
    pub wave: usize,
    /// Messages of that wave that have left.
    pub wave_sent: u32,
}

/// The pace after a message has left at `now`.
///
/// A lane that is late does not catch up: the next slot counts from `now`, never from the one that was missed.
/// `seed` decides the jitter, so that the same message always gets the same one.
pub fn after_message(pacing: &Pacing, pace: Pace, now: Timestamp, seed: u64) -> Pace {
    let Some(wave) = pacing.waves.get(pace.wave).or_else(|| pacing.waves.first()) else {
        return Pace { next_slot_at: slot(now, pacing.every, pacing.jitter, seed), wave: 0, wave_sent: 0 };
    };
    let index = if pace.wave < pacing.waves.len() { pace.wave } else { 0 };
    let Wave { messages, every, pause_after } = *wave;
    let sent = pace.wave_sent + 1;
    if sent < messages {
        return Pace { next_slot_at: slot(now, every, pacing.jitter, seed), wave: index, wave_sent: sent };
    }
    let next = (index + 1) % pacing.waves.len();
    Pace { next_slot_at: slot(now, pause_after, pacing.jitter, seed), wave: next, wave_sent: 0 }
}

fn slot(now: Timestamp, every: Period, jitter: Period, seed: u64) -> Option<Timestamp> {
    if every.is_zero() && jitter.is_zero() {
        return None;
    }
    let extra_millis = mix(seed) % (jitter.as_seconds() * 1000 + 1);
    let millis = every.as_seconds() * 1000 + extra_millis;
    Some(now + TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX / 1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::{Pace, after_message};
    use crate::domain::{Period, Timestamp};
    use crate::manifest::desired::{Pacing, Wave};

    fn gaps(pacing: &Pacing, messages: u64) -> Vec<i64> {
        let mut now: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        let mut pace = Pace::default();
        (0..messages)
            .map(|seed| {
                pace = after_message(pacing, pace, now, seed);
                let slot = pace.next_slot_at.unwrap_or(now);
                let gap = (slot - now).num_seconds();
                now = slot;
                gap
            })
            .collect()
    }

    #[test]
    fn even_jittered_and_off() {
        let even = Pacing { every: Period::minutes(2), jitter: Period::ZERO, waves: vec![] };
        assert_eq!(gaps(&even, 3), [120, 120, 120]);
        let off = Pacing { every: Period::ZERO, ..even.clone() };
        assert_eq!(gaps(&off, 2), [0, 0]);
        let jittered = gaps(&Pacing { jitter: Period::seconds(30), ..even }, 200);
        assert!(jittered.iter().all(|gap| (120..=150).contains(gap)));
        assert!(jittered.iter().any(|gap| *gap > 140) && jittered.iter().any(|gap| *gap < 130));
    }

    #[test]
    fn waves_follow_each_other_and_begin_again() {
        let wave = |messages, every, pause| Wave {
            messages,
            every: Period::seconds(every),
            pause_after: Period::seconds(pause),
        };
        let waves =
            Pacing { every: Period::ZERO, jitter: Period::ZERO, waves: vec![wave(2, 10, 100), wave(1, 99, 500)] };
        assert_eq!(gaps(&waves, 6), [10, 100, 500, 10, 100, 500]);
    }

    #[test]
    fn fewer_waves_than_the_lane_remembers_start_over() {
        let waves = Pacing {
            every: Period::ZERO,
            jitter: Period::ZERO,
            waves: vec![Wave { messages: 5, every: Period::seconds(7), pause_after: Period::ZERO }],
        };
        let now = "2026-12-01T08:00:00Z".parse().unwrap();
        let pace = after_message(&waves, Pace { next_slot_at: None, wave: 4, wave_sent: 1 }, now, 0);
        assert_eq!((pace.wave, pace.wave_sent), (0, 2));
    }
}
