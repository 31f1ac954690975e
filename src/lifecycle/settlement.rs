//! What becomes of a message and its target once the channel has answered.

use chrono::TimeDelta;

use super::message::Event;
use super::target::Exit;
use crate::domain::Timestamp;

/// Hand-overs of one message on its day, the first included.
pub const ATTEMPTS: u16 = 3;
/// Failed days in a row after which a target leaves.
pub const FAILED_DAYS: u16 = 2;

/// What is known of a hand-over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it and calls it this.
    Accepted { provider_id: String },
    /// It certainly did not happen and may be tried again, at the earliest after this long.
    Postponed { error: String, after: Option<TimeDelta> },
    /// It certainly did not happen and never will for this person.
    Refused { error: String },
    /// Nobody knows whether it happened.
    Unknown { error: String },
}

/// What follows for the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Following {
    /// It goes on as planned.
    Nothing,
    /// All days are done.
    Finish,
    /// The same day again at this instant.
    Retry {
        due_at: Timestamp,
    },
    /// The day is lost; so many days in a row now.
    DayFailed {
        failed_days: u16,
    },
    /// The day is lost, and it was the last one.
    LastDayFailed,
    Leave(Exit),
}

/// What an outcome means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    pub event: Event,
    pub following: Following,
    /// Nothing left the house: the quota of the day is given back.
    pub give_back: bool,
}

/// Settles one hand-over: `attempts` so far with this one, `last` when it was the last day.
pub fn settle(outcome: &Outcome, attempts: u16, failed_days: u16, last: bool, now: Timestamp) -> Settlement {
    let kept = |event| {
        let following = match (last, failed_days) {
            (true, _) => Following::Finish,
            (false, 0) => Following::Nothing,
            (false, _) => Following::DayFailed { failed_days: 0 },
        };
        Settlement { event, following, give_back: false }
    };
    match outcome {
        Outcome::Accepted { .. } => kept(Event::Accepted),
        Outcome::Unknown { .. } => kept(Event::LeaseExpired),
        Outcome::Postponed { after, .. } if attempts < ATTEMPTS => {
            let wait = after.unwrap_or_else(|| backoff(attempts));
            Settlement { event: Event::Postponed, following: Following::Retry { due_at: now + wait }, give_back: true }
        }
        Outcome::Postponed { .. } => {
            let failed_days = failed_days + 1;
            let following = match (failed_days >= FAILED_DAYS, last) {
                (true, _) => Following::Leave(Exit::Failed),
                (false, true) => Following::LastDayFailed,
                (false, false) => Following::DayFailed { failed_days },
            };
            Settlement { event: Event::Refused, following, give_back: true }
        }
        Outcome::Refused { .. } => {
            let following = Following::Leave(Exit::Undeliverable);
            Settlement { event: Event::Refused, following, give_back: true }
        }
    }
}

/// What somebody found out about a message whose fate nobody knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    Sent,
    /// It certainly did not leave.
    Failed,
}

/// Settles what a person found. The target went on when the fate became unknown, and nothing is tried again behind
/// the back of whoever looked.
pub fn resolve(finding: Finding) -> Settlement {
    let (event, give_back) = match finding {
        Finding::Sent => (Event::Accepted, false),
        Finding::Failed => (Event::NeverLeft, true),
    };
    Settlement { event, following: Following::Nothing, give_back }
}

/// 2 minutes, then 8.
fn backoff(attempts: u16) -> TimeDelta {
    TimeDelta::minutes(2 << (2 * (i64::from(attempts.max(1)) - 1)))
}

#[cfg(test)]
mod tests {
    use super::{Finding, Following, Outcome, resolve, settle};
    use crate::domain::Timestamp;
    use crate::lifecycle::message::{self, State};

    fn now() -> Timestamp {
        "2026-12-01T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn table() {
        let outcomes = [
            Outcome::Accepted { provider_id: "x".into() },
            Outcome::Unknown { error: "timeout".into() },
            Outcome::Postponed { error: "busy".into(), after: None },
            Outcome::Refused { error: "no such number".into() },
        ];
        let mut table = String::new();
        for outcome in &outcomes {
            for (attempts, failed_days, last) in
                [(1, 0, false), (2, 0, false), (3, 0, false), (3, 1, false), (1, 1, false), (1, 0, true), (3, 0, true)]
            {
                let s = settle(outcome, attempts, failed_days, last, now());
                let name = format!("{outcome:?}");
                let name = name.split(' ').next().unwrap_or_default();
                let state = message::step(State::Sending, s.event).unwrap();
                table += &format!(
                    "{name:<10} attempt {attempts} failed days {failed_days} {:<8} → {state}, {:?}{}\n",
                    if last { "last day" } else { "" },
                    s.following,
                    if s.give_back { ", quota back" } else { "" },
                );
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn what_somebody_found_out_settles_what_was_uncertain_and_nothing_else() {
        for (finding, after, give_back) in [(Finding::Sent, State::Sent, false), (Finding::Failed, State::Failed, true)]
        {
            let settlement = resolve(finding);
            assert_eq!(message::step(State::Uncertain, settlement.event), Ok(after));
            assert_eq!((settlement.following, settlement.give_back), (Following::Nothing, give_back));
        }
        for state in State::ALL.into_iter().filter(|state| *state != State::Uncertain) {
            assert!(message::step(state, resolve(Finding::Failed).event).is_err(), "{state}");
        }
    }

    #[test]
    fn what_may_have_left_never_comes_back() {
        for attempts in 1..5 {
            for last in [false, true] {
                let s = settle(&Outcome::Unknown { error: String::new() }, attempts, 1, last, now());
                assert!(!s.give_back && !matches!(s.following, Following::Retry { .. }));
            }
        }
    }
}
