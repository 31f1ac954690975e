//! The phases of a run, and the reasons for them.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Draft,
    Scheduled,
    Active,
    Paused,
    Completed,
    Cancelled,
}

impl Phase {
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Scheduled, Self::Active, Self::Paused, Self::Completed, Self::Cancelled];

    /// Whether the run is over for ever.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

impl TryFrom<String> for Phase {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a phase"))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a run is in its phase, for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The manifest asks for it.
    Manifest,
    /// An operator does, whatever the manifest says.
    Operator,
    WaitingForStart,
    /// A campaign before it in a queue, or its `runAfter`, is not over for the account.
    QueuedBehind,
    /// It is being worked out whether it would be done before the subscription of its account ends.
    LookingAhead,
    /// It would not be.
    OutlivesSubscription,
    Running,
    /// Nobody is taken: enrollment is off for the account.
    EnrollmentOff,
    /// Nothing leaves: sending is off for the account.
    SendingOff,
    /// A default run, while a filtered one of the account is active.
    FilteredCampaignActive,
    SubscriptionExpired,
    Disconnected,
    /// Too much of what its account sends fails.
    FailureRate,
    /// Too many people ask for no more of what its account sends.
    OptOutRate,
    /// The provider stops its account, or takes nothing by its channel.
    ChannelUnhealthy,
    /// A message could not be rendered; a new revision lifts it.
    TemplateError,
    /// Nobody left to enroll and nobody active.
    Drained,
    /// `endAt` has come.
    Ended,
    /// The manifest is gone.
    Pruned,
}

impl Reason {
    pub const ALL: [Self; 19] = [
        Self::Manifest,
        Self::Operator,
        Self::WaitingForStart,
        Self::QueuedBehind,
        Self::LookingAhead,
        Self::OutlivesSubscription,
        Self::Running,
        Self::EnrollmentOff,
        Self::SendingOff,
        Self::FilteredCampaignActive,
        Self::SubscriptionExpired,
        Self::Disconnected,
        Self::FailureRate,
        Self::OptOutRate,
        Self::ChannelUnhealthy,
        Self::TemplateError,
        Self::Drained,
        Self::Ended,
        Self::Pruned,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Operator => "operator",
            Self::WaitingForStart => "waiting-for-start",
            Self::QueuedBehind => "queued-behind",
            Self::LookingAhead => "looking-ahead",
            Self::OutlivesSubscription => "outlives-subscription",
            Self::Running => "running",
            Self::EnrollmentOff => "enrollment-off",
            Self::SendingOff => "sending-off",
            Self::FilteredCampaignActive => "filtered-campaign-active",
            Self::SubscriptionExpired => "subscription-expired",
            Self::Disconnected => "disconnected",
            Self::FailureRate => "failure-rate",
            Self::OptOutRate => "opt-out-rate",
            Self::ChannelUnhealthy => "channel-unhealthy",
            Self::TemplateError => "template-error",
            Self::Drained => "drained",
            Self::Ended => "ended",
            Self::Pruned => "pruned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}
