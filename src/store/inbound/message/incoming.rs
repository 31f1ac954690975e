//! Inbound messages as the provider reports them.

use crate::core::domain::Timestamp;

/// An inbound message, with everything that the provider reports about it; any part may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    /// Stays the same when the provider repeats the message.
    pub id: String,
    /// The channel that reported it.
    pub channel: String,
    /// The sender number that received it.
    pub number: Option<String>,
    /// The digits of the person's phone, as the provider writes it.
    pub phone: Option<String>,
    /// The provider's name for a person who shows no phone.
    pub user: Option<String>,
    /// The provider's id of the message that is answered.
    pub context: Option<String>,
    pub text: String,
    /// True for a message, which may be answered; false for a setting that the person changed.
    pub is_message: bool,
    /// For a setting that is changed back: the code with which the provider refused messages to the person until then.
    pub undoes: Option<i64>,
    pub at: Timestamp,
}
