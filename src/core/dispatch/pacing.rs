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
    let jitter = mix(seed) % (pacing.jitter.as_seconds() * 1000 + 1);
    let paced = !is_zero(every, pacing.jitter);
    Pace { next_slot_at: paced.then(|| slot(now, every, jitter)), ..next }
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
/// The result equals repeated calls of [`after_message`]. Without jitter it is computed wave by wave. With jitter each
/// message counts, because the last slot before `until` comes as often as it does in reality; `sent` counts the
/// messages before, and decides the jitter.
pub fn stretch(
    pacing: &Pacing,
    mut pace: Pace,
    (now, until): (Timestamp, Timestamp),
    (most, sent): (u32, u64),
) -> Stretch {
    if !pacing.jitter.is_zero() {
        return jittered(pacing, pace, (now, until), (most, sent));
    }
    let (mut at, mut messages) = (now, 0);
    loop {
        let wave = wave(pacing, pace).map(|(_, wave)| wave);
        let even = wave.map_or(u32::MAX, |wave| wave.messages.saturating_sub(pace.wave_sent).max(1));
        let every = TimeDelta::seconds(seconds(wave.map_or(pacing.every, |wave| wave.every)));
        let fit = match every.num_milliseconds() {
            0 => u32::MAX,
            millis => u32::try_from(((until - at).num_milliseconds() - 1).max(0) / millis + 1).unwrap_or(u32::MAX),
        };
        let sent = even.min(fit).min(most - messages);
        messages += sent;
        let last_at = at + every * i32::try_from(sent.saturating_sub(1)).unwrap_or(i32::MAX);
        let (gap, next) = follow(pacing, pace, sent);
        at = last_at + TimeDelta::seconds(seconds(gap));
        pace = Pace { next_slot_at: (!gap.is_zero()).then_some(at), ..next };
        if messages >= most || at >= until {
            return Stretch { messages, last_at, pace };
        }
    }
}

/// Counts message by message, each with a jitter of its own.
fn jittered(
    pacing: &Pacing,
    mut pace: Pace,
    (now, until): (Timestamp, Timestamp),
    (most, sent): (u32, u64),
) -> Stretch {
    let (mut at, mut messages) = (now, 0);
    loop {
        pace = after_message(pacing, pace, at, sent + u64::from(messages));
        messages += 1;
        let slot = pace.next_slot_at.unwrap_or(at);
        if messages >= most || slot >= until {
            return Stretch { messages, last_at: at, pace };
        }
        at = slot;
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

fn seconds(period: Period) -> i64 {
    i64::try_from(period.as_seconds()).unwrap_or(i64::MAX / 1_000_000_000)
}

/// Returns the slot after a message at `now`, with so much jitter.
fn slot(now: Timestamp, every: Period, extra_millis: u64) -> Timestamp {
    let millis = every.as_seconds() * 1000 + extra_millis;
    now + TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX / 1_000_000))
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
    fn pacing_is_even_jittered_or_off() {
        let even = Pacing { every: Period::minutes(2), jitter: Period::ZERO, waves: vec![] };
        assert_eq!(gaps(&even, 3), [120, 120, 120]);
        let off = Pacing { every: Period::ZERO, ..even.clone() };
        assert_eq!(gaps(&off, 2), [0, 0]);
        let jittered = gaps(&Pacing { jitter: Period::seconds(30), ..even }, 200);
        assert!(jittered.iter().all(|gap| (120..=150).contains(gap)));
        assert!(jittered.iter().any(|gap| *gap > 140) && jittered.iter().any(|gap| *gap < 130));
    }

    #[test]
    fn waves_repeat_in_their_order() {
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
    fn a_stretch_equals_pacing_message_by_message() {
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
            let found = stretch(&pacing, Pace::default(), (start, until), (most, 0));
            assert_eq!(found, Stretch { messages, last_at, pace }, "{pacing:?} {most} {seconds}");
        }
    }

    #[test]
    fn a_narrow_window_has_as_many_slots_as_in_reality_on_average() {
        let start: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        for (every, jitter, hours) in [(4, 8, 2), (2, 1, 12), (7, 20, 1), (1, 1, 1)] {
            let pacing = Pacing { every: Period::minutes(every), jitter: Period::minutes(jitter), waves: vec![] };
            let until = start + chrono::TimeDelta::hours(hours);
            let (mut real, mut foreseen) = (0, 0);
            for day in 0..4_000 {
                foreseen += stretch(&pacing, Pace::default(), (start, until), (u32::MAX, u64::from(foreseen))).messages;
                let (mut now, mut slot) = (start, 0);
                while now < until {
                    now = after_message(&pacing, Pace::default(), now, day * 1_000 + slot).next_slot_at.unwrap();
                    (real, slot) = (real + 1, slot + 1);
                }
            }
            let (real, foreseen) = (f64::from(real), f64::from(foreseen));
            assert!((real - foreseen).abs() / real < 0.01, "{pacing:?}: {real} really, {foreseen} foreseen");
        }
    }

    fn cases(kinds: &[Vec<Wave>]) -> Vec<(u64, Vec<Wave>, u32, i64)> {
        let mut all = Vec::new();
        for (every, most, seconds) in [(0, 5, 60), (30, 1, 60), (30, 9, 60), (30, 100, 61), (1, 1_000, 7_200)] {
            all.extend(kinds.iter().map(|waves| (every, waves.clone(), most, seconds)));
        }
        all
    }

    #[test]
    fn a_lane_restarts_its_waves_when_its_wave_was_removed() {
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
