//! Parameters of details that are more than a name, a number or an instant.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::core::domain::Phone;

/// The share of all live runs above which cancelling is suspicious.
pub const LARGE_SHARE_PERCENT: u64 = 30;

/// The maximum number of phones that a detail names, masked; beyond it, the detail gives their number.
const NAMED: usize = 3;

/// The reason why a plan waits for a person's approval.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Refusal {
    #[error(
        "there is not one campaign left in the files; an empty tree is taken for an outage, and nothing is cancelled"
    )]
    EmptyTree,
    #[error(
        "it would cancel {cancelled} of {live} live runs (more than {LARGE_SHARE_PERCENT} %); a person has to say that it is meant"
    )]
    MassCancel { cancelled: u64, live: u64 },
}

/// The numbers of changed objects of a plan, by what was done to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    pub cancelled: usize,
    pub deleted: usize,
    pub paused: usize,
    pub resumed: usize,
    pub renamed: usize,
    pub updated: usize,
    pub created: usize,
}

/// Formats changes as `1 renamed, 2 created`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cancelled, deleted, paused, resumed, renamed, updated, created } = *self;
        let parts: Vec<String> = [
            (cancelled, "cancelled"),
            (deleted, "deleted"),
            (paused, "paused"),
            (resumed, "resumed"),
            (renamed, "renamed"),
            (updated, "updated"),
            (created, "created"),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, done)| format!("{n} {done}"))
        .collect();
        f.write_str(&if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") })
    }
}

/// The subject of a provider's report.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NoticeSubject {
    Template {
        name: String,
        language: Option<String>,
    },
    /// The quality score of a template; the event is the new score.
    TemplateQuality {
        name: String,
        language: Option<String>,
    },
    /// A number of ours, as the digits that people dial.
    Number {
        number: Option<String>,
    },
    /// The whole account at the provider, by the provider's id.
    Account {
        id: Option<String>,
    },
}

/// The rows of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facts {
    Accounts,
    Referrals,
}

/// Some phones: their number, and a few of them masked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Phones {
    pub count: usize,
    /// Empty if there are too many to name.
    pub masked: Vec<String>,
}

impl Phones {
    pub fn of(phones: &[&str]) -> Self {
        let named = if phones.len() > NAMED { &[] } else { phones };
        let masked = named.iter().map(|phone| Phone::trusted((*phone).to_owned()).masked());
        Self { count: phones.len(), masked: masked.collect() }
    }
}

/// Formats phones as `+2376*****01, +2376*****02` or `4 phones`.
impl fmt::Display for Phones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.masked.is_empty() { write!(f, "{} phones", self.count) } else { f.write_str(&self.masked.join(", ")) }
    }
}

/// A day that an operator sends to a phone of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TestMessage {
    pub day: u16,
    pub campaign: String,
    /// The masked phone.
    pub phone: String,
    /// `None`: the built-in sandbox.
    pub channel: Option<String>,
}

/// Formats a test with its day, campaign, phone and channel.
impl fmt::Display for TestMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { day, campaign, phone, channel } = self;
        write!(f, "a test of day {day} of `{campaign}` to {phone} by ")?;
        match channel {
            Some(channel) => write!(f, "`{channel}`"),
            None => f.write_str("the built-in sandbox"),
        }
    }
}

/// The outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestOutcome {
    Accepted,
    Refused,
    Unknown,
}

impl TestOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// Returns what people must know about the outcome besides its name.
    pub const fn meaning(self) -> Option<&'static str> {
        match self {
            Self::Accepted | Self::Refused => None,
            Self::Unknown => Some("it may have left"),
        }
    }
}
