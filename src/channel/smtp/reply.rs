//! The reading of mail server replies, or of their absence, into outcomes. The table defines the reaction to a refusal.

use std::error::Error as _;
use std::io;

use lettre::transport::smtp;

use super::table;
use super::table::{Attempt, Stage};
use crate::channel::refusal_text::short;
use crate::core::lifecycle::outcome::{Outcome, Reaction};

/// A failed exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    stage: Stage,
    why: Why,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The server replied with this code.
    Code(u16),
    /// The exchange can succeed for no recipient: no encryption, or a certificate for another name.
    Impossible,
    /// The server does not take letters beyond ASCII before the `@` of an address.
    NotAscii,
    /// The connection was lost, or the time ran out.
    Lost,
}

impl Failure {
    pub(super) fn of(stage: Stage, error: &smtp::Error) -> Self {
        let source = error.source();
        // A certificate that TLS rejects is reported as invalid data.
        let is_disbelief = source.and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind)
            == Some(io::ErrorKind::InvalidData);
        let why = match error.status() {
            Some(code) => Why::Code(code.into()),
            None if error.is_client() || error.is_tls() || is_disbelief => Why::Impossible,
            None => Why::Lost,
        };
        let text = source.map_or_else(|| error.to_string(), ToString::to_string);
        Self { stage, why, text: short(&text) }
    }

    /// Makes the failure for a reply that did not come in time.
    pub(super) fn timeout(stage: Stage) -> Self {
        Self { stage, why: Why::Lost, text: "the mail server did not answer in time".to_owned() }
    }

    /// Makes the failure for a sender or recipient with letters beyond ASCII before the `@`, which the server does not
    /// support.
    pub(super) fn not_ascii(stage: Stage) -> Self {
        let text = "the mail server takes no letters beyond ASCII before the `@` of an address".to_owned();
        Self { stage, why: Why::NotAscii, text }
    }

    /// Returns true if a new connection may serve where this one did not: the server had enough of it, or it was lost.
    /// The text did not arrive.
    pub(super) fn is_of_connection(&self) -> bool {
        match self.why {
            Why::Code(code) => table::ends_connection(code, &self.text),
            Why::Lost => self.stage != Stage::Text,
            Why::Impossible | Why::NotAscii => false,
        }
    }

    /// Returns the outcome of the message to `person`, whose address is removed from the error.
    pub(super) fn outcome(self, attempt: Attempt, person: &str) -> Outcome {
        let text = self.text.replace(person, "…");
        match (self.why, self.stage) {
            (Why::Code(code), stage) => {
                Outcome::refused(format!("{code}: {text}"), table::reaction(stage, code, &text, attempt))
            }
            (Why::NotAscii, Stage::Sender) if attempt.has_own_sender => Outcome::refused(text, Reaction::PauseAccount),
            (Why::NotAscii, Stage::Recipient) => Outcome::refused(text, Reaction::Leave),
            (Why::Impossible | Why::NotAscii, _) => Outcome::refused(text, Reaction::PauseChannel),
            (Why::Lost, Stage::Text) => Outcome::Unknown { error: text },
            (Why::Lost, _) => Outcome::refused(text, Reaction::Retry { after: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Why};
    use crate::channel::smtp::table::{Attempt, Stage};
    use crate::core::lifecycle::outcome::{Outcome, Reaction};

    const STAGES: [Stage; 6] =
        [Stage::Connect, Stage::Login, Stage::Sender, Stage::Recipient, Stage::Data, Stage::Text];
    const SHARED: Attempt = Attempt { has_own_sender: false, number: 1 };

    #[test]
    fn only_a_timeout_in_the_text_stage_is_unknown() {
        for stage in STAGES {
            let lost = Failure::timeout(stage);
            assert_eq!(lost.is_of_connection(), stage != Stage::Text, "{stage:?}");
            let outcome = lost.outcome(SHARED, "a@example.com");
            assert_eq!(matches!(outcome, Outcome::Unknown { .. }), stage == Stage::Text, "{stage:?}");
        }
    }

    #[test]
    fn a_non_ascii_address_affects_only_its_owner() {
        let asks = |stage, has_own_sender| {
            let attempt = Attempt { has_own_sender, ..SHARED };
            match Failure::not_ascii(stage).outcome(attempt, "é@example.com") {
                Outcome::Refused(refusal) => refusal.reaction,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([true, false].map(|own| asks(Stage::Recipient, own)), [Reaction::Leave; 2]);
        let senders = [true, false].map(|own| asks(Stage::Sender, own));
        assert_eq!(senders, [Reaction::PauseAccount, Reaction::PauseChannel]);
    }

    #[test]
    fn mail_errors_contain_no_address() {
        let failure =
            Failure { stage: Stage::Recipient, why: Why::Code(550), text: "<a@b.example>: unknown".to_owned() };
        let Outcome::Refused(refusal) = failure.outcome(SHARED, "a@b.example") else { panic!() };
        assert_eq!(refusal.error, "550: <…>: unknown");
    }
}
