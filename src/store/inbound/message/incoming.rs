//! Inbound messages as the provider reports them.

use crate::core::consent;
use crate::core::consent::Reply;
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
    pub via: Via,
    /// For a setting that is changed back: the code with which the provider refused messages to the person until then.
    pub undoes: Option<i64>,
    pub at: Timestamp,
}

/// The way in which a person spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A private message: it opens the time in which a person may be answered.
    Message,
    /// A new text for an earlier private message, which opened that time.
    Edit,
    /// A message to a group: nothing private answers it.
    Group,
    /// A setting that the person changed: the provider itself confirms it.
    Setting,
}

impl Via {
    /// Returns true if a private answer is expected.
    pub(super) fn is_private(self) -> bool {
        matches!(self, Self::Message | Self::Edit)
    }
}

impl InboundMessage {
    /// Returns true if the message asks for no more messages.
    pub fn is_stop(&self) -> bool {
        self.word() == Reply::Stop
    }

    /// Returns the meaning of the message. In a group, a STOP may be meant for others, so it needs review, and a START is
    /// no consent.
    pub(super) fn word(&self) -> Reply {
        match (self.via, consent::read(&self.text)) {
            (Via::Group, Reply::Stop | Reply::Unclear) => Reply::Unclear,
            (Via::Group, Reply::Start | Reply::Other) => Reply::Other,
            (Via::Message | Via::Edit | Via::Setting, word) => word,
        }
    }
}
