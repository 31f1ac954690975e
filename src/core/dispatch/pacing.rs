//! The pace of an account: when its next message may leave.

use std::time::Duration;

use chrono::TimeDelta;

use crate::core::domain::{Period, Timestamp, mix};
use crate::core::manifest::desired::{Pacing, Wave};

/// The position of a lane in its pace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// The earliest instant for the next message; `None` means that nothing has been sent yet.
    pub next_slot_at: Option<Timestamp>,
    /// The index of the current wave.
    pub wave: usize,
    /// The messages of that wave that were sent.
    pub wave_sent: u32,
}

/// Returns the pace after a message was sent at `now`.
///
/// A late lane does not catch up: the next slot counts from `now`, not from the missed slot. `seed` decides the jitter,
/// so the same message always gets the same jitter.
pub fn after_message(pacing: &Pacing, pace: Pace, now: Timestamp, seed: u64) -> Pace {
    let (every, next) = follow(pacing, pace, 1);
    Pace { next_slot_at: slot(now, every, pacing.jitter, seed), ..next }
}

/// Limits `pace` by the current `pacing`: a slot of an earlier, slower pacing does not outlive its correction.
pub fn in_force(pacing: &Pacing, pace: Pace, now: Timestamp) -> Pace {
    let latest = now + Duration::from(pacing.longest());
    Pace { next_slot_at: pace.next_slot_at.map(|at| at.min(latest)), ..pace }
}

/// A series of messages at the account's pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub messages: u32,
    /// When the last of them is sent.
    pub last_at: Timestamp,
    /// The pace after the last message.
    pub pace: Pace,
}

/// Returns how many messages are sent from `now`, which the pace admits, until before `until`: from one to `most`.
///
/// The result equals repeated calls of [`after_message`], but is computed wave by wave and with the average jitter.
pub fn stretch(pacing: &Pacing, mut pace: Pace, now: Timestamp, until: Timestamp, most: u32) -> Stretch {
    let (mut at, mut messages) = (now, 0);
    loop {
        let wave = wave(pacing, pace).map(|(_, wave)| wave);
        let even = wave.map_or(u32::MAX, |wave| wave.messages.saturating_sub(pace.wave_sent).max(1));
        let every = mean(wave.map_or(pacing.every, |wave| wave.every), pacing.jitter);
        let fit = match every.num_milliseconds() {
            0 => u32::MAX,
            millis => u32::try_from(((until - at).num_milliseconds() - 1).max(0) / millis + 1).unwrap_or(u32::MAX),
        };
        let sent = even.min(fit).min(most - messages);
        messages += sent;
        let last_at = at + every * i32::try_from(sent.saturating_sub(1)).unwrap_or(i32::MAX);
        let (gap, next) = follow(pacing, pace, sent);
        at = last_at + mean(gap, pacing.jitter);
        pace = Pace { next_slot_at: (!is_zero(gap, pacing.jitter)).then_some(at), ..next };
        if messages >= most || at >= until {
            return Stretch { messages, last_at, pace };
        }
    }
}

/// Returns the current wave with its index.
fn wave(pacing: &Pacing, pace: Pace) -> Option<(usize, Wave)> {
    let at = if pace.wave < pacing.waves.len() { pace.wave } else { 0 };
    pacing.waves.get(at).map(|wave| (at, *wave))
}

/// Returns the time to the next slot after this many more messages of the current wave, and the pace without the slot.
fn follow(pacing: &Pacing, pace: Pace, messages: u32) -> (Period, Pace) {
    let Some((at, wave)) = wave(pacing, pace) else { return (pacing.every, Pace::default()) };
    let sent = pace.wave_sent.saturating_add(messages);
    if sent < wave.messages {
        return (wave.every, Pace { next_slot_at: None, wave: at, wave_sent: sent });
    }
    (wave.pause_after, Pace { next_slot_at: None, wave: (at + 1) % pacing.waves.len(), wave_sent: 0 })
}

fn is_zero(every: Period, jitter: Period) -> bool {
    every.is_zero() && jitter.is_zero()
}

/// Returns the average time from one slot to the next.
fn mean(every: Period, jitter: Period) -> TimeDelta {
    TimeDelta::milliseconds(
        i64::try_from(every.as_seconds() * 1000 + jitter.as_seconds() * 500).unwrap_or(i64::MAX / 1_000_000),
    )
}

fn slot(now: Timestamp, every: Period, jitter: Period, seed: u64) -> Option<Timestamp> {
    if is_zero(every, jitter) {
        return None;
    }
    let extra_millis = mix(seed) % (jitter.as_seconds() * 1000 + 1);
    let millis = every.as_seconds() * 1000 + extra_millis;
    Some(now + TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX / 1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::{Pace, Stretch, after_message, stretch};
    use crate::core::domain::{Period, Timestamp};
    use crate::core::manifest::desired::{Pacing, Wave};

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
    fn a_stretch_is_what_comes_of_single_messages() {
        let start: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        let wave = |messages, every, pause| Wave {
            messages,
            every: Period::seconds(every),
            pause_after: Period::seconds(pause),
        };
        let kinds = [vec![], vec![wave(3, 10, 100)], vec![wave(2, 0, 100), wave(1, 7, 0), wave(4, 60, 3_600)]];
        for (every, waves, most, seconds) in cases(&kinds) {
            let pacing = Pacing { every: Period::seconds(every), jitter: Period::ZERO, waves };
            let until = start + chrono::TimeDelta::seconds(seconds);
            let (mut pace, mut now, mut messages, mut last_at) = (Pace::default(), start, 0, start);
            while messages < most && (messages == 0 || now < until) {
                pace = after_message(&pacing, pace, now, 0);
                (messages, last_at) = (messages + 1, now);
                now = pace.next_slot_at.unwrap_or(now);
            }
            let found = stretch(&pacing, Pace::default(), start, until, most);
            assert_eq!(found, Stretch { messages, last_at, pace }, "{pacing:?} {most} {seconds}");
        }
        // The average is half of the jitter.
        let jittered = Pacing { every: Period::minutes(2), jitter: Period::minutes(1), waves: vec![] };
        let day = stretch(&jittered, Pace::default(), start, start + chrono::TimeDelta::hours(12), u32::MAX);
        assert_eq!(day.messages, 12 * 60 * 60 / 150);
    }

    fn cases(kinds: &[Vec<Wave>]) -> Vec<(u64, Vec<Wave>, u32, i64)> {
        let mut all = Vec::new();
        for (every, most, seconds) in [(0, 5, 60), (30, 1, 60), (30, 9, 60), (30, 100, 61), (1, 1_000, 7_200)] {
            all.extend(kinds.iter().map(|waves| (every, waves.clone(), most, seconds)));
        }
        all
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
