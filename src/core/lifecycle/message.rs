//! The lifecycle of a message: the one that a target gets on one day.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "MessageState")]
pub enum State {
    /// An attempt certainly failed; the message waits for the next one.
    Queued,
    /// The message is in flight. After its lease expires, its outcome is unknown.
    Sending,
    Sent,
    Delivered,
    Read,
    Failed,
    /// The message may have left: it is never resent automatically, and it counts as sent.
    Uncertain,
}

impl State {
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Sending, Self::Sent, Self::Delivered, Self::Read, Self::Failed, Self::Uncertain];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Uncertain => "uncertain",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl TryFrom<String> for State {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not the state of a message"))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A dispatcher claimed the message for an attempt.
    Claimed,
    /// The provider accepted the message.
    Accepted,
    /// The provider certainly did not accept the message, and may accept it later.
    Postponed,
    /// The provider certainly did not accept the message and never will, or the message was postponed too often.
    Refused,
    /// The outcome is unknown: the provider did not answer, or the process died.
    LeaseExpired,
    DeliveryReceipt,
    ReadReceipt,
    FailureReceipt,
    /// A person found that the provider got the message.
    FoundSent,
    /// A person found that the provider never got the message.
    FoundUnsent,
    /// The target ended before the next attempt.
    TargetEnded,
}

impl Event {
    pub const ALL: [Self; 11] = [
        Self::Claimed,
        Self::Accepted,
        Self::Postponed,
        Self::Refused,
        Self::LeaseExpired,
        Self::DeliveryReceipt,
        Self::ReadReceipt,
        Self::FailureReceipt,
        Self::FoundSent,
        Self::FoundUnsent,
        Self::TargetEnded,
    ];
}

/// An event that cannot follow a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a message that is {state} cannot take {event:?}")]
pub struct Illegal {
    pub state: State,
    pub event: Event,
}

/// Returns the state that follows; unlisted pairs are illegal.
///
/// Receipts only move a message forward, in the order sent, failed, delivered, read. The message therefore ends in the
/// furthest state, in whatever order the receipts arrive. A message that arrived did not fail, whatever else is reported.
pub fn step(state: State, event: Event) -> Result<State, Illegal> {
    use State::{Delivered, Failed, Queued, Read, Sending, Sent, Uncertain};
    Ok(match (state, event) {
        (Queued, Event::Claimed) => Sending,
        (Sending | Uncertain, Event::Accepted) | (Uncertain, Event::FoundSent) => Sent,
        (Sending, Event::Postponed) => Queued,
        (Sending, Event::LeaseExpired) => Uncertain,
        (Sending, Event::Refused) | (Queued, Event::TargetEnded) | (Uncertain, Event::FoundUnsent) => Failed,
        (Sending | Uncertain | Sent, Event::FailureReceipt) => Failed,
        (Sending | Uncertain | Sent | Failed, Event::DeliveryReceipt) => Delivered,
        (Sending | Uncertain | Sent | Delivered | Failed, Event::ReadReceipt) => Read,
        (state, event) => return Err(Illegal { state, event }),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Event, State, step};

    #[test]
    fn table() {
        let mut table = format!("{:<10}", "");
        for event in Event::ALL {
            table += &format!(" {:<15}", format!("{event:?}"));
        }
        for state in State::ALL {
            table = table.trim_end().to_owned() + &format!("\n{state:<10}");
            for event in Event::ALL {
                table += &format!(" {:<15}", step(state, event).map_or("-", State::as_str));
            }
        }
        insta::assert_snapshot!(table.trim_end(), @"
                   Claimed         Accepted        Postponed       Refused         LeaseExpired    DeliveryReceipt ReadReceipt     FailureReceipt  FoundSent       FoundUnsent     TargetEnded
        queued     sending         -               -               -               -               -               -               -               -               -               failed
        sending    -               sent            queued          failed          uncertain       delivered       read            failed          -               -               -
        sent       -               -               -               -               -               delivered       read            failed          -               -               -
        delivered  -               -               -               -               -               -               read            -               -               -               -
        read       -               -               -               -               -               -               -               -               -               -               -
        failed     -               -               -               -               -               delivered       read            -               -               -               -
        uncertain  -               sent            -               -               -               delivered       read            failed          sent            failed          -
        ");
    }

    #[test]
    fn only_a_queued_message_can_be_claimed() {
        for state in State::ALL.into_iter().filter(|state| *state != State::Queued) {
            assert!(step(state, Event::Claimed).is_err(), "{state}");
        }
    }

    /// Returns the state after `events`; events that cannot follow are skipped.
    fn fold(state: State, events: &[Event]) -> State {
        events.iter().fold(state, |state, event| step(state, *event).unwrap_or(state))
    }

    /// Generates receipts in the provider's order, and the same receipts in any order with some repeated. The result of
    /// the attempt stands anywhere between them.
    fn receipts() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
        let in_order = [Event::FailureReceipt, Event::DeliveryReceipt, Event::ReadReceipt];
        let some = proptest::sample::subsequence(in_order.to_vec(), 1..=3);
        let outcome = proptest::sample::select(vec![None, Some(Event::Accepted), Some(Event::LeaseExpired)]);
        (some, outcome).prop_flat_map(|(some, outcome)| {
            let again = proptest::collection::vec(proptest::sample::select(some.clone()), 0..5);
            let all = again.prop_map({
                let some = some.clone();
                move |again| some.iter().copied().chain(again).chain(outcome).collect::<Vec<_>>()
            });
            (Just(some), all.prop_shuffle())
        })
    }

    proptest! {
        #[test]
        fn the_order_of_receipts_does_not_change_the_state(
            (meant, received) in receipts(),
            state in proptest::sample::select(vec![State::Sending, State::Sent, State::Uncertain]),
        ) {
            prop_assert_eq!(fold(state, &received), fold(state, &meant));
        }
    }
}
