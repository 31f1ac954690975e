//! What a provider says of a message it took.

use crate::core::domain::{MessageKey, Timestamp};
use crate::core::lifecycle::message::Event;
use crate::core::lifecycle::outcome::Refusal;

/// What a provider says of a message it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub key: MessageKey,
    /// Whether it is certain that the key is one of ours, by our mark or by what the provider calls the message. Before
    /// there were marks, other installations could have messages of the same key.
    pub is_certain: bool,
    /// As the provider calls the message, where it says so.
    pub provider_id: Option<String>,
    /// As the provider calls whom it was for, without the `+` of a phone.
    pub recipient: Option<String>,
    /// The channel that was told; `None`: the built-in sandbox.
    pub channel: Option<String>,
    pub status: ReceiptStatus,
    /// When it happened, by the provider's clock.
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptStatus {
    Sent,
    Delivered,
    Read,
    Failed(Refusal),
}

impl Receipt {
    /// One of which no more is known.
    pub fn new(key: MessageKey, status: ReceiptStatus, at: Timestamp) -> Self {
        Self { key, is_certain: true, provider_id: None, recipient: None, channel: None, status, at }
    }
}

impl ReceiptStatus {
    pub(super) fn event(&self) -> Event {
        match self {
            Self::Sent => Event::Accepted,
            Self::Delivered => Event::DeliveryReceipt,
            Self::Read => Event::ReadReceipt,
            Self::Failed(_) => Event::FailureReceipt,
        }
    }
}
