//! What was accepted: the truth that everything else is compared with.

use serde::Serialize;
use serde_json::Value;

use crate::core::domain::Timestamp;

/// One message that was accepted. Whether the sender knows is another matter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accepted {
    /// What it is called from now on: `wamid.…`.
    pub id: String,
    /// What the sender calls it.
    pub key: String,
    /// The number that sent it.
    pub number: String,
    pub to: String,
    pub at: Timestamp,
    /// Whether it came by `/marketing_messages`.
    pub marketing: bool,
    pub body: Value,
}
