//! Facts: the data of an export about one account or one referral, checked and normalised.

use chrono::NaiveDate;
use serde::Serialize;

use super::{AccountId, Country, Gender, Language, Phone, Timestamp, Zone};

/// The value of an optional column. An export that lacks a column never erases known values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stated<T> {
    /// The export has no such column.
    #[default]
    Nothing,
    /// The column exists and is empty.
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

    pub fn is_given(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// A person's consent to messages. Unknown consent is the absence of a value.
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

/// The ability of an account's `WhatsApp` number to send.
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

/// A stored account to which rows of an export refer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAccount {
    pub id: AccountId,
    pub zone: Zone,
}

/// One account, from one row of an export.
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
    /// The extra columns in file order; `None` where the cell is empty.
    pub attributes: Vec<(&'a str, Option<&'a str>)>,
    /// The last change of the row at the source, if the export has it.
    pub updated_at: Option<Timestamp>,
}

/// One referral, from one row of an export.
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
    /// The person's own time zone.
    pub timezone: Stated<Zone>,
    /// The extra columns in file order; `None` where the cell is empty.
    pub attributes: Vec<(&'a str, Option<&'a str>)>,
    /// The last change of the row at the source, if the export has it.
    pub updated_at: Option<Timestamp>,
}

/// A fault of one row of an export, for which the row was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The line of the file where the row begins, from 1; a header counts.
    pub line: u64,
    /// The column as the header spells it, shortened, or [`Rejection::ROW`] when the row as a whole is wrong.
    pub column: String,
    /// The value of the cell, shortened.
    pub value: String,
    pub reason: String,
}

impl Rejection {
    /// The column name for a row that cannot be split into columns.
    pub const ROW: &'static str = "(row)";

    /// The maximum length of a quoted value, in characters: enough to find it, too little to fill the memory.
    const SHOWN: usize = 80;

    pub fn new(line: u64, column: &str, value: &str, reason: impl Into<String>) -> Self {
        Self { line, column: Self::shortened(column), value: Self::shortened(value), reason: reason.into() }
    }

    fn shortened(text: &str) -> String {
        match text.char_indices().nth(Self::SHOWN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        }
    }

    /// Returns the number of rows with these faults, which are in the order of lines.
    pub fn rows(faults: &[Self]) -> u64 {
        faults.chunk_by(|one, next| one.line == next.line).count() as u64
    }
}
