//! The reading of mail server replies, or of their absence, into outcomes.

use std::error::Error as _;
use std::io;

use lettre::transport::smtp;

use crate::channel::refusal_text::short;
use crate::core::lifecycle::outcome::{Outcome, Reaction};

/// The step of the SMTP exchange at which a failure occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Connecting, encrypting and introducing oneself.
    Greeting,
    /// Authentication by a name and a password.
    Login,
    /// `MAIL FROM`, the sender.
    Sender,
    /// `RCPT TO`, the recipient.
    Recipient,
    /// `DATA`, the request to send the text.
    Data,
    /// The transfer of the text. The server owns the mail once it has the last line.
    Text,
}

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

    /// Makes the failure for a sender or recipient address beyond ASCII, which the server does not support.
    pub(super) fn odd_address(stage: Stage) -> Self {
        let text = "the mail server takes no addresses with letters beyond ASCII".to_owned();
        Self { stage, why: Why::Code(553), text }
    }

    /// Returns the outcome of the message to `person`, whose address is removed from the error.
    pub(super) fn outcome(self, has_own_sender: bool, person: &str) -> Outcome {
        let text = self.text.replace(person, "…");
        match self.why {
            Why::Code(code) => {
                let reaction = reaction(self.stage, code, &text, has_own_sender);
                Outcome::refused(format!("{code}: {text}"), reaction)
            }
            Why::Impossible => Outcome::refused(text, Reaction::PauseChannel),
            Why::Lost if self.stage == Stage::Text => Outcome::Unknown { error: text },
            Why::Lost => Outcome::refused(text, Reaction::Retry { after: None }),
        }
    }
}

/// Returns the reaction to a refusal code, given the text that follows it.
///
/// A person leaves only for a refusal of their own mailbox. Such a refusal answers `RCPT TO`, or has an enhanced code
/// (RFC 3463) for the mailbox. A 550 about the sender concerns the sender. A 550 about the text or a policy only fails
/// a day: a server that blocks everybody raises the failure rate, which pauses the account.
fn reaction(stage: Stage, code: u16, words: &str, has_own_sender: bool) -> Reaction {
    let enhanced = words.split_whitespace().next().unwrap_or_default();
    let is_policy = enhanced.starts_with("5.7.");
    let is_of_person = enhanced.starts_with("5.1.") || enhanced == "5.2.1";
    match (stage, code) {
        // Authentication failed or is required.
        (_, 454 | 530 | 534 | 535 | 538) => Reaction::PauseChannel,
        (_, 400..=499) => Reaction::Retry { after: None },
        (Stage::Greeting | Stage::Login, _) => Reaction::PauseChannel,
        (Stage::Sender, _) if has_own_sender => Reaction::PauseAccount,
        (Stage::Sender, _) => Reaction::PauseChannel,
        (Stage::Recipient, 550 | 551 | 553) if !is_policy => Reaction::Leave,
        (Stage::Data | Stage::Text, 550 | 551 | 553) if is_of_person => Reaction::Leave,
        (Stage::Recipient | Stage::Data | Stage::Text, _) => Reaction::FailDay,
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Stage, Why, reaction};
    use crate::core::lifecycle::outcome::Outcome;

    const STAGES: [Stage; 6] =
        [Stage::Greeting, Stage::Login, Stage::Sender, Stage::Recipient, Stage::Data, Stage::Text];

    #[test]
    fn table() {
        let mut table = String::new();
        for (code, words) in [
            (421, "4.7.0 try later"),
            (450, "4.2.0 busy"),
            (451, "4.3.0 aborted"),
            (452, "4.2.2 full"),
            (454, "4.7.0 temporary authentication failure"),
            (500, "5.5.1 what"),
            (530, "5.7.0 authentication required"),
            (535, "5.7.8 bad credentials"),
            (550, "no such user"),
            (550, "5.1.1 no such user"),
            (550, "5.2.1 disabled"),
            (550, "5.7.1 relaying denied"),
            (551, "5.1.6 moved"),
            (552, "5.2.2 full"),
            (553, "5.1.3 bad address"),
            (554, "5.7.1 spam"),
        ] {
            table += &format!("{code} {words}\n");
            for stage in STAGES {
                let [own, shared] = [true, false].map(|own| reaction(stage, code, words, own));
                let shared = if own == shared { String::new() } else { format!(", in the name of all {shared:?}") };
                table += &format!("  {:<9} {own:?}{shared}\n", format!("{stage:?}"));
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn only_a_text_on_its_way_may_have_arrived() {
        for stage in STAGES {
            let outcome = Failure::timeout(stage).outcome(false, "a@example.com");
            assert_eq!(matches!(outcome, Outcome::Unknown { .. }), stage == Stage::Text, "{stage:?}");
        }
    }

    #[test]
    fn no_error_names_a_person() {
        let failure =
            Failure { stage: Stage::Recipient, why: Why::Code(550), text: "<a@b.example>: unknown".to_owned() };
        let Outcome::Refused(refusal) = failure.outcome(false, "a@b.example") else { panic!() };
        assert_eq!(refusal.error, "550: <…>: unknown");
    }
}
