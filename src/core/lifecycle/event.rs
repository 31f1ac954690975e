//! The kinds of events in the log: everything that happens to what a team or an operator decides.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    RunCreated,
    /// A run changed its phase, or the reason for its phase.
    RunPhase,
    OverrideSet,
    OverrideCleared,
    /// An override reached the end of its time.
    OverrideExpired,
    RevisionApplied,
    /// A plan looks like an accident and waits for approval by a person.
    PlanRefused,
    PlanApproved,
    /// A manifest does not take effect as it stands in the files.
    ManifestFrozen,
    ManifestThawed,
    Import,
    /// A notification could not be delivered for too long.
    NotificationGivenUp,
    /// An operator suppressed phones, which get no more messages.
    Suppressed,
    Unsuppressed,
    /// A person found out the outcome of messages whose outcome was unknown.
    MessageResolved,
    /// An inbound message may be an opt-out and waits for review.
    NearOptOut,
    /// A person has reviewed the inbound message.
    HoldReleased,
    /// All data about a person was erased.
    ContactErased,
    /// A provider reported a change of an account, a number or a template.
    ProviderNotice,
    /// Many people opt out of the messages of an account.
    OptOutRate,
    /// A person had a day sent to a phone of their own as a test.
    TestSent,
}

impl EventKind {
    pub const ALL: [Self; 21] = [
        Self::RunCreated,
        Self::RunPhase,
        Self::OverrideSet,
        Self::OverrideCleared,
        Self::OverrideExpired,
        Self::RevisionApplied,
        Self::PlanRefused,
        Self::PlanApproved,
        Self::ManifestFrozen,
        Self::ManifestThawed,
        Self::Import,
        Self::NotificationGivenUp,
        Self::Suppressed,
        Self::Unsuppressed,
        Self::MessageResolved,
        Self::NearOptOut,
        Self::HoldReleased,
        Self::ContactErased,
        Self::ProviderNotice,
        Self::OptOutRate,
        Self::TestSent,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunCreated => "run-created",
            Self::RunPhase => "run-phase",
            Self::OverrideSet => "override-set",
            Self::OverrideCleared => "override-cleared",
            Self::OverrideExpired => "override-expired",
            Self::RevisionApplied => "revision-applied",
            Self::PlanRefused => "plan-refused",
            Self::PlanApproved => "plan-approved",
            Self::ManifestFrozen => "manifest-frozen",
            Self::ManifestThawed => "manifest-thawed",
            Self::Import => "import",
            Self::NotificationGivenUp => "notification-given-up",
            Self::Suppressed => "suppressed",
            Self::Unsuppressed => "unsuppressed",
            Self::MessageResolved => "message-resolved",
            Self::NearOptOut => "near-opt-out",
            Self::HoldReleased => "hold-released",
            Self::ContactErased => "contact-erased",
            Self::ProviderNotice => "provider-notice",
            Self::OptOutRate => "opt-out-rate",
            Self::TestSent => "test-sent",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl TryFrom<String> for EventKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not an event"))
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
