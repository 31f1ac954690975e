//! Webhook posts of providers: their authentication, and their reading into updates. Nothing here acts.

mod node;
mod signature;
mod whatsapp;

pub use self::signature::{is_same, is_signed};
pub use self::whatsapp::read;
use std::collections::BTreeSet;

use serde::de::IgnoredAny;

use crate::core::domain::{Callback, Timestamp};
use crate::core::lifecycle::detail::NoticeSubject;

/// Returns true if `body` is JSON.
pub fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// One event that a provider reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    Status(Status),
    Inbound(Inbound),
    Preference(Preference),
    Rename(Rename),
    Notice(Notice),
}

/// A delivery status of a message that the installation sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The provider's id of the message.
    pub provider_id: String,
    /// Our callback data of the message, if the provider returns it.
    pub callback: Option<Callback>,
    /// The provider's names for the recipient: the digits of a phone, which may differ in form from the stored phone, and
    /// a user id.
    pub recipient: Vec<String>,
    pub kind: StatusKind,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusKind {
    Sent,
    Delivered,
    Read,
    /// The recipient played a voice message.
    Played,
    Failed {
        /// The error code; `None` if the provider states no reason.
        code: Option<i64>,
        /// The error text of the provider.
        text: String,
    },
}

/// The author of a message or preference, as far as the provider identifies them. Any field may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The digits of the phone, as the provider writes it.
    pub phone: Option<String>,
    /// The provider's id of a person who hides their phone.
    pub user: Option<String>,
    /// The provider's id of our message that the person answers.
    pub context: Option<String>,
}

/// An inbound message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The provider's id of the message, which stays the same when the provider repeats the report.
    pub id: String,
    /// The provider's id of our number that received the message.
    pub number: Option<String>,
    pub person: Person,
    /// The typed text, caption or button text; empty for messages without text, such as pictures.
    pub text: String,
    pub kind: InboundKind,
    pub at: Timestamp,
}

/// The way in which a person wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboundKind {
    /// A private message.
    Private,
    /// A new text for an earlier private message.
    Edit,
    /// A message to a group, which concerns others too.
    Group,
}

/// A change of the marketing switch that the provider gives to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    pub number: Option<String>,
    pub person: Person,
    /// True if the person stops marketing messages, false if they allow them again.
    pub stop: bool,
    pub at: Timestamp,
}

/// A change of the names by which the provider knows a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The provider's id of the report, which stays the same when it is repeated.
    pub id: String,
    /// Names until now: digits of phones, and user ids.
    pub known: Vec<String>,
    /// Names from now on.
    pub fresh: Vec<String>,
    /// True if the person has another number; false if they have another user id.
    pub is_number: bool,
    pub at: Timestamp,
}

/// A provider's notice about its account, a number or a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub subject: NoticeSubject,
    /// The event name of the provider: `PAUSED`, `APPROVED`, `ACCOUNT_RESTRICTION`, `FLAGGED`…
    pub event: String,
    /// Further information, such as a reason or a new limit.
    pub detail: Option<String>,
    pub meaning: Meaning,
    pub at: Timestamp,
}

/// The effect of a notice on sending with its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing may be sent with the subject.
    Stop {
        /// The end of the restriction; `None` if it lasts until a notice lifts it.
        until: Option<Timestamp>,
    },
    /// The subject may be used for sending again.
    Lift,
    /// Sending is not affected.
    Nothing,
}

/// A number of ours, with all its identifiers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// The provider's id of the number, which requests to send use.
    pub id: String,
    /// The digits that people dial.
    pub digits: Option<String>,
    /// The provider's id of the account that owns the number.
    pub account: Option<String>,
}

/// The content of one webhook post.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Post {
    pub updates: Vec<Update>,
    /// Our numbers that the post mentions.
    pub numbers: BTreeSet<Number>,
    /// The reasons why parts of the post could not be read: each once, without personal data.
    pub problems: Vec<String>,
}
