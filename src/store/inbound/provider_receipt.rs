//! A provider's receipt for a message it accepted.

use crate::core::domain::{MessageKey, Timestamp};
use crate::core::lifecycle::message::Event;
use crate::core::lifecycle::outcome::Refusal;

/// A provider's receipt for a message it accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub key: MessageKey,
    /// True if the key certainly belongs to this installation, by its installation id or by the provider's message id.
    /// Messages from before installation ids could share a key with those of other installations.
    pub is_certain: bool,
    /// The provider's id of the message, if given.
    pub provider_id: Option<String>,
    /// The provider's names for the recipient: a user id, or a number, which it may write otherwise than we dialled it.
    pub recipient: Vec<String>,
    /// The channel that received the receipt; `None`: the built-in sandbox.
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
    /// Creates a receipt with no further details.
    pub fn new(key: MessageKey, status: ReceiptStatus, at: Timestamp) -> Self {
        Self { key, is_certain: true, provider_id: None, recipient: Vec::new(), channel: None, status, at }
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
