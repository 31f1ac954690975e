//! The lifecycle of a target: one referral in one run.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use crate::core::domain::Timestamp;

/// The state of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// `day` is sent next, at `due_at` at the earliest.
    Waiting {
        day: u16,
        due_at: Timestamp,
    },
    /// The last day was handed to the provider, and its outcome is not known yet.
    LastDayOut {
        day: u16,
    },
    Completed,
    Exited(Exit),
}

/// The reason why a target left its run before the last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "ExitReason")]
pub enum Exit {
    Paid,
    OptedOut,
    Cancelled,
    Undeliverable,
    Failed,
    Removed,
    Expired,
}

impl Exit {
    pub const ALL: [Self; 7] =
        [Self::Paid, Self::OptedOut, Self::Cancelled, Self::Undeliverable, Self::Failed, Self::Removed, Self::Expired];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::OptedOut => "opted-out",
            Self::Cancelled => "cancelled",
            Self::Undeliverable => "undeliverable",
            Self::Failed => "failed",
            Self::Removed => "removed",
            Self::Expired => "expired",
        }
    }

    /// Returns the reason as the end of a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Paid => "the person has paid",
            Self::OptedOut => "the person asked to get no messages",
            Self::Cancelled => "the run was cancelled",
            Self::Undeliverable => "they cannot be reached",
            Self::Failed => "two days in a row could not be sent",
            Self::Removed => "the person was removed",
            Self::Expired => "the run ended first",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| exit.as_str() == text)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The target's message was claimed; `next` is the following day with its due time, `None` after the last.
    Claimed {
        next: Option<(u16, Timestamp)>,
    },
    /// The attempt for `day` certainly failed: the day is due again at `due_at`.
    GivenBack {
        day: u16,
        due_at: Timestamp,
    },
    /// The last day has its outcome, or the sequence became shorter than the target's day.
    Finished,
    Left(Exit),
    /// The target waits until `until`: the gate holds it, or an edit changed its waits.
    Held {
        until: Timestamp,
    },
}

/// An event that cannot follow a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a target that is {state:?} cannot take {event:?}")]
pub struct Illegal {
    pub state: State,
    pub event: Event,
}

/// Returns the state that follows; unlisted pairs are illegal.
pub fn step(state: State, event: Event) -> Result<State, Illegal> {
    use State::{Completed, Exited, LastDayOut, Waiting};
    Ok(match (state, event) {
        (Waiting { .. }, Event::Claimed { next: Some((day, due_at)) }) => Waiting { day, due_at },
        (Waiting { day, .. }, Event::Claimed { next: None }) => LastDayOut { day },
        (Waiting { day, .. }, Event::Held { until }) => Waiting { day, due_at: until },
        // The outcome of day n arrives while day n+1 waits, or after the last day.
        (Waiting { .. } | LastDayOut { .. }, Event::GivenBack { day, due_at }) => Waiting { day, due_at },
        (Waiting { .. } | LastDayOut { .. }, Event::Finished) => Completed,
        // A payment after the last day stops nothing: the target has had every message. It leaves only if the attempt failed
        // and the day is due again.
        (LastDayOut { .. }, Event::Left(Exit::Paid)) => return Err(Illegal { state, event }),
        (Waiting { .. } | LastDayOut { .. }, Event::Left(exit)) => Exited(exit),
        (state, event) => return Err(Illegal { state, event }),
    })
}

#[cfg(test)]
mod tests {
    use super::{Event, Exit, State, step};
    use crate::core::domain::Timestamp;

    #[test]
    fn table() {
        let at: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        let states = [
            State::Waiting { day: 3, due_at: at },
            State::LastDayOut { day: 7 },
            State::Completed,
            State::Exited(Exit::Paid),
        ];
        let events = [
            Event::Claimed { next: Some((4, at)) },
            Event::Claimed { next: None },
            Event::Held { until: at },
            Event::GivenBack { day: 3, due_at: at },
            Event::Finished,
            Event::Left(Exit::Paid),
            Event::Left(Exit::OptedOut),
        ];
        let rows = states.iter().flat_map(|state| {
            events.iter().map(move |event| match step(*state, *event) {
                Ok(next) => format!("{state:?} + {event:?}\n    → {next:?}\n"),
                Err(_) => format!("{state:?} + {event:?}\n    → illegal\n"),
            })
        });
        insta::assert_snapshot!(rows.collect::<String>());
    }
}
