//! The ledger of accepted messages, with which tests compare all other records.

use serde::Serialize;
use serde_json::Value;

use crate::core::domain::Timestamp;

/// One accepted message. The sender may not know that it was accepted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accepted {
    /// The id that the server assigned: `wamid.…`.
    pub id: String,
    /// The callback data of the sender.
    pub key: String,
    /// The number that sent it.
    pub number: String,
    pub to: String,
    pub at: Timestamp,
    /// True if the message came by `/marketing_messages`.
    pub marketing: bool,
    pub body: Value,
}
