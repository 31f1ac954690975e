//! What the log tells: everything that happens to what a team or an operator decides.

use std::fmt;

use serde::Serialize;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    RunCreated,
    /// A run changed its phase, or is where it is for another reason.
    RunPhase,
    OverrideSet,
    OverrideCleared,
    /// The time of an override is over.
    OverrideExpired,
    RevisionApplied,
    /// A plan looks like an accident and waits for a person.
    PlanRefused,
    PlanApproved,
    /// A manifest does not take effect as it stands in the files.
    ManifestFrozen,
    ManifestThawed,
    Import,
    /// Nobody could be told of something for too long.
    NotificationGivenUp,
    /// An operator has phones written to no more.
    Suppressed,
    Unsuppressed,
    /// A person found out what became of messages whose fate nobody knew.
    MessageResolved,
    /// A reply may mean that a person wants no more messages, and waits to be read.
    NearOptOut,
    /// Somebody has read it.
    HoldReleased,
    /// All that is known of a person was erased.
    ContactForgotten,
    /// A provider told something of an account, a number or a template.
    ProviderNotice,
    /// Many people ask for no more of what an account sends.
    OptOutRate,
    /// Somebody had a day sent to a phone of theirs, to see it.
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
        Self::ContactForgotten,
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
            Self::ContactForgotten => "contact-forgotten",
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
