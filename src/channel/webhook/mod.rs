//! What providers post to us: whether it is theirs, and what it says. Bytes in, updates out; nothing here acts.

mod node;
mod signature;
mod whatsapp;

pub use self::signature::{is_same, is_signed};
pub use self::whatsapp::read;
use std::collections::BTreeSet;

use serde::de::IgnoredAny;

use crate::core::domain::{Callback, Timestamp};

/// Whether it can be read at all.
pub fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// One thing that a provider tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    Status(Status),
    Inbound(Inbound),
    Preference(Preference),
    Notice(Notice),
}

/// What became of a message we sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// As the provider calls the message.
    pub provider_id: String,
    /// What we called it, where the provider tells it back.
    pub callback: Option<Callback>,
    /// Whom it was for, as the provider calls them: the digits of a phone that may be written otherwise than ours.
    pub recipient: Option<String>,
    pub kind: StatusKind,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusKind {
    Sent,
    Delivered,
    Read,
    /// A voice message was listened to.
    Played,
    Failed {
        /// `None`: the provider does not say why.
        code: Option<i64>,
        /// In its words.
        text: String,
    },
}

/// Whoever wrote to us, by all that is told of them; any of it may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The digits of a phone, as the provider writes it.
    pub phone: Option<String>,
    /// What the provider calls somebody who shows no phone.
    pub user: Option<String>,
    /// The message of ours that is answered, as the provider calls it.
    pub context: Option<String>,
}

/// A message to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// As the provider calls it: the same when it is told again.
    pub id: String,
    /// Which number of ours it came to.
    pub number: Option<String>,
    pub person: Person,
    /// What was typed, or what stands on the button; empty for pictures and the like.
    pub text: String,
    pub at: Timestamp,
}

/// Somebody used the switch for marketing messages that the provider gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    pub number: Option<String>,
    pub person: Person,
    /// No more of them; else: they are welcome again.
    pub stop: bool,
    pub at: Timestamp,
}

/// What concerns an account at the provider, a number or a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub subject: Subject,
    /// In the provider's words: `PAUSED`, `APPROVED`, `ACCOUNT_RESTRICTION`, `FLAGGED`…
    pub event: String,
    /// What else is said of it: a reason, a new limit.
    pub detail: Option<String>,
    pub meaning: Meaning,
    pub at: Timestamp,
}

/// What a notice means for whoever sends with what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing is sent with it any more.
    Stop {
        /// `None`: until the contrary is told.
        until: Option<Timestamp>,
    },
    /// It can be sent with again.
    Lift,
    /// It is worth knowing, and no more.
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Template {
        name: String,
        language: Option<String>,
    },
    /// How well a template is received; the event is the new score.
    TemplateQuality {
        name: String,
        language: Option<String>,
    },
    /// A number of ours, by the digits that people dial.
    Number(Option<String>),
    /// The whole account at the provider, by its id there.
    Account(Option<String>),
}

/// A number of ours, by all the names it has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// By which it sends.
    pub id: String,
    /// The digits that people dial.
    pub digits: Option<String>,
    /// The account at the provider that it belongs to.
    pub account: Option<String>,
}

/// What a post says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Post {
    pub updates: Vec<Update>,
    /// The numbers of ours that it speaks of.
    pub numbers: BTreeSet<Number>,
    /// Why some of it could not be read, each once, without anything personal.
    pub problems: Vec<String>,
}
