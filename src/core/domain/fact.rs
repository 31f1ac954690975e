//! Facts: what an export says about one account or one referral, checked and normalised.

use chrono::NaiveDate;
use serde::Serialize;

use super::{AccountId, Country, Gender, Language, Phone, Timestamp, Zone};

/// What a row says about an optional column. An export that lacks a column never erases what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stated<T> {
    /// The export has no such column.
    #[default]
    Nothing,
    /// The column is there and empty.
    Empty,
    Value(T),
}

impl<T> Stated<T> {
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Nothing | Self::Empty => None,
        }
    }

    pub fn is_said(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// A person's answer to "may we write to you". No answer is the absence of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    OptedIn,
    OptedOut,
}

impl Consent {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OptedIn => "opted_in",
            Self::OptedOut => "opted_out",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::OptedIn, Self::OptedOut].into_iter().find(|consent| consent.as_str() == text)
    }
}

/// Whether an account's `WhatsApp` number can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhatsappStatus {
    Connected,
    Disconnected,
    Expired,
}

impl WhatsappStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Expired => "expired",
        }
    }
}

/// One account, as one row of an export tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFact<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub phone: Stated<Phone>,
    pub email: Stated<&'a str>,
    pub language: Stated<Language>,
    pub country: Stated<Country>,
    pub timezone: Zone,
    pub subscription_plan: Stated<&'a str>,
    pub subscription_ends_at: Stated<Timestamp>,
    pub whatsapp_status: Stated<WhatsappStatus>,
    /// Columns that have no other meaning, in file order; `None` where the cell is empty.
    pub attributes: Vec<(&'a str, Option<&'a str>)>,
    /// When the source last touched the row, where it says so.
    pub updated_at: Option<Timestamp>,
}

/// One referral, as one row of an export tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferralFact<'a> {
    pub id: &'a str,
    pub account: AccountId,
    pub name: &'a str,
    pub phone: Phone,
    pub email: Stated<&'a str>,
    pub language: Stated<Language>,
    pub country: Country,
    pub gender: Stated<Gender>,
    pub profession: Stated<&'a str>,
    pub birth_date: Stated<NaiveDate>,
    pub registered_at: Timestamp,
    pub paid_at: Stated<Timestamp>,
    pub consent: Stated<Consent>,
    pub consent_source: Stated<&'a str>,
    pub consent_at: Stated<Timestamp>,
    /// Columns that have no other meaning, in file order; `None` where the cell is empty.
    pub attributes: Vec<(&'a str, Option<&'a str>)>,
    /// When the source last touched the row, where it says so.
    pub updated_at: Option<Timestamp>,
}

/// Why one row of an export did not go in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Line of the file where the row begins, from 1; a header counts.
    pub line: u64,
    /// The column as the header spells it; [`Rejection::ROW`] when the row as a whole is at fault.
    pub column: String,
    /// What stands there, shortened.
    pub value: String,
    pub reason: String,
}

impl Rejection {
    /// The column of a row that cannot be taken apart into columns.
    pub const ROW: &'static str = "(row)";

    /// Characters of a value that a rejection repeats: enough to find it, too few to fill the memory.
    const SHOWN: usize = 80;

    pub fn new(line: u64, column: &str, value: &str, reason: impl Into<String>) -> Self {
        let value = match value.char_indices().nth(Self::SHOWN) {
            Some((end, _)) => format!("{}…", &value[..end]),
            None => value.to_owned(),
        };
        Self { line, column: column.to_owned(), value, reason: reason.into() }
    }
}
