//! Opt-outs and payments in refused rows of an export.

use serde::Serialize;

use super::{AccountId, Phone, Timestamp};

/// The consent and the payment in a refused row, and what is known about the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    pub line: u64,
    /// The id of the referral in exports.
    pub id: Option<String>,
    pub account: Option<AccountId>,
    pub phone: Option<Phone>,
    /// The person wants no messages.
    pub opted_out: bool,
    pub paid_at: Option<Timestamp>,
    /// The first column among consent and payment that cannot be read, with its text.
    pub unreadable: Option<String>,
    /// The last change of the row at the source, if the export has it.
    pub updated_at: Option<Timestamp>,
}

impl Signal {
    pub fn is_any(&self) -> bool {
        self.opted_out || self.paid_at.is_some() || self.unreadable.is_some()
    }
}

/// The number of refused rows whose opt-out or payment counts all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Heard {
    pub opted_out: u64,
    pub paid: u64,
    /// Rows with a consent or a payment that cannot be read, or whose person is not certain. The people wait for a
    /// review.
    pub held: u64,
}

impl Heard {
    pub fn is_any(self) -> bool {
        self != Self::default()
    }
}
