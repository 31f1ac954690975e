//! What somebody told one of our numbers.

use crate::core::domain::Timestamp;

/// What somebody told one of our numbers, by all that the provider says of them; any of it may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    /// The same when it is told again.
    pub id: String,
    /// By which it was told.
    pub channel: String,
    /// Which number of ours it came to.
    pub number: Option<String>,
    /// The digits of the person's phone, as the provider writes it.
    pub phone: Option<String>,
    /// What the provider calls somebody who shows no phone.
    pub user: Option<String>,
    /// The message of ours that is answered, as the provider calls it.
    pub context: Option<String>,
    pub text: String,
    /// It is a message, which may be answered; else a switch that the person turned.
    pub is_message: bool,
    /// Of a switch that is turned back: the code with which the provider refused to write to the person until then.
    pub undoes: Option<i64>,
    pub at: Timestamp,
}
