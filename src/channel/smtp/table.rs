//! The reaction to each refusal of a mail server, by stage, reply code, enhanced code (RFC 3463) and words.
//!
//! A refusal concerns this machine and its login, the sender, a limit, the recipient, or only this mail. A person
//! leaves only for words or a code about their own mailbox. Servers often refuse the sender at `RCPT TO`, so the stage
//! alone says little.

use chrono::TimeDelta;

use super::words;
use super::words::Words;
use crate::core::lifecycle::outcome::Reaction;

/// The step of the SMTP exchange at which a refusal occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Connecting, the greeting, encrypting, and `EHLO`.
    Connect,
    /// `AUTH`, the login by a name and a password.
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

/// The message that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// True if the mail is sent in the name of its account, false if in that of the channel.
    pub(super) has_own_sender: bool,
    /// The attempts that count so far, this one included.
    pub(super) number: u16,
}

/// The subject of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern {
    /// This machine, its name, its login or its right to send: nothing goes out.
    Machine,
    /// The address or the domain of the sender.
    Sender,
    /// A rate or quota of the sender, and the wait before the next mail, if the text implies one.
    Limit(Option<TimeDelta>),
    /// The mailbox of the recipient, which does not exist or wants nothing.
    Mailbox,
    /// A server that takes no first mail from strangers, and the wait that it asks for.
    Greylist(Option<TimeDelta>),
    /// This mail alone, as far as can be told.
    Mail,
}

/// The pauses after a temporary refusal of a mail. Greylists ask for 5 to 60 minutes, and many forget a mail that does
/// not return within 4 hours.
const PAUSES: [TimeDelta; 2] = [TimeDelta::minutes(30), TimeDelta::hours(3)];
/// The pause of an account whose quota is used up.
const QUOTA_PAUSE: TimeDelta = TimeDelta::hours(1);

/// Returns the reaction to a refusal with this code, given the text that follows the code.
pub(super) fn reaction(stage: Stage, code: u16, text: &str, attempt: Attempt) -> Reaction {
    let is_permanent = code >= 500;
    let own = attempt.has_own_sender;
    let pause = if attempt.number <= 1 { PAUSES[0] } else { PAUSES[1] };
    match concern(stage, code, &Words::of(text)) {
        Concern::Machine => Reaction::PauseChannel,
        Concern::Sender if !own => Reaction::PauseChannel,
        Concern::Sender if is_permanent => Reaction::PauseAccount,
        Concern::Sender => Reaction::Throttle { after: None },
        // A permanent limit of the shared sender stops all accounts. That of an account's own sender ends by itself.
        Concern::Limit(_) if is_permanent && !own => Reaction::PauseChannel,
        Concern::Limit(wait) if is_permanent => Reaction::Throttle { after: wait.or(Some(QUOTA_PAUSE)) },
        Concern::Limit(wait) => Reaction::Throttle { after: wait },
        Concern::Greylist(wait) => Reaction::Retry { after: wait.or(Some(pause)) },
        Concern::Mailbox if is_permanent => Reaction::Leave,
        Concern::Mail if is_permanent => Reaction::FailDay,
        Concern::Mailbox | Concern::Mail => Reaction::Retry { after: Some(pause) },
    }
}

/// Returns true if the server takes no more mail on this connection. A new connection may carry the mail.
pub(super) fn ends_connection(code: u16, text: &str) -> bool {
    code == 421 || ((400..500).contains(&code) && Words::of(text).speaks_of(words::CONNECTION))
}

fn concern(stage: Stage, code: u16, reply: &Words) -> Concern {
    let is_permanent = code >= 500;
    let limit = || Concern::Limit(reply.wait_for_limit());
    if !is_permanent && reply.speaks_of(words::GREYLIST) {
        return Concern::Greylist(reply.stated_wait());
    }
    match (stage, code) {
        (_, 530 | 534 | 535 | 538) | (Stage::Connect | Stage::Login, 500..) => return Concern::Machine,
        (Stage::Login, _) if reply.speaks_of(words::LIMIT) => return limit(),
        // A login that fails for now, or that needs another password.
        (Stage::Login, 432 | 454) => return Concern::Machine,
        (Stage::Login, _) => return limit(),
        _ => {}
    }
    let has_recipient = matches!(stage, Stage::Recipient | Stage::Data | Stage::Text);
    let by_server = reply.speaks_of(words::BY_SERVER);
    if has_recipient && !by_server && reply.speaks_of(words::OF_PERSON) {
        return Concern::Mailbox;
    }
    if reply.speaks_of(words::SENDER) {
        return Concern::Sender;
    }
    if has_recipient && (code == 552 || reply.enhanced == Some((2, 2)) || reply.speaks_of(words::OF_MAIL)) {
        return Concern::Mail;
    }
    let by_recipient = !by_server && reply.speaks_of(words::BY_RECIPIENT);
    if has_recipient && (by_recipient || is_code_of_mailbox(reply.enhanced)) {
        return Concern::Mailbox;
    }
    if reply.speaks_of(words::MACHINE) {
        return Concern::Machine;
    }
    if reply.speaks_of(words::LIMIT) || matches!(reply.enhanced, Some((4, 5) | (5, 3) | (7, 28))) {
        return limit();
    }
    if is_code_of_sender(reply.enhanced) {
        return Concern::Sender;
    }
    if is_permanent && reply.speaks_of(words::OURS) {
        return Concern::Machine;
    }
    // A policy (5.7.x) may name the recipient without a word about the mailbox.
    let is_policy = reply.enhanced.is_some_and(|(subject, _)| subject == 7);
    if has_recipient && !is_policy && reply.speaks_of(words::MAILBOX) {
        return Concern::Mailbox;
    }
    match (stage, code, reply.enhanced) {
        (_, 500.., Some((4, _))) => Concern::Sender,
        // The dialogue itself failed, or the server takes no mail at all.
        (_, 500 | 502..=504, _) | (_, 500.., Some((3, 2))) => Concern::Machine,
        (Stage::Sender, 500.., _) => Concern::Sender,
        // Before a recipient is named, every mail would meet the same refusal.
        (Stage::Connect | Stage::Sender, ..) | (_, 454, _) => limit(),
        (Stage::Login | Stage::Recipient | Stage::Data | Stage::Text, ..) => Concern::Mail,
    }
}

/// Returns true for codes of a sender's address or domain, and of its SPF, DKIM, DMARC or reputation. Microsoft numbers
/// its own refusals of senders from 5.7.500.
const fn is_code_of_sender(enhanced: Option<(u16, u16)>) -> bool {
    matches!(enhanced, Some((1, 7 | 8) | (7, 20..=27 | 60 | 500..)))
}

/// Returns true for codes of a mailbox that does not exist, has moved or is disabled.
const fn is_code_of_mailbox(enhanced: Option<(u16, u16)>) -> bool {
    matches!(enhanced, Some((1, 1..=4 | 6 | 10) | (2, 1)))
}

#[cfg(test)]
mod tests;
