//! The phases of a run, and the reasons for them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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

    /// Returns true if the run is over for ever.
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

/// The reason for a run's phase, for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The manifest asks for the phase.
    Manifest,
    /// An operator asks for the phase, whatever the manifest says.
    Operator,
    WaitingForStart,
    /// A campaign ahead in a queue, or in its `runAfter`, is not over for the account.
    QueuedBehind,
    /// Nobody matches this filtered run now; it begins with the first person who does.
    WaitingForPeople,
    /// The forecast that compares the run's end with the account's subscription is still due.
    LookingAhead,
    /// The run would end after the account's subscription.
    OutlivesSubscription,
    Running,
    /// Nobody is enrolled: enrollment is off for the account.
    EnrollmentOff,
    /// Nothing is sent: sending is off for the account.
    SendingOff,
    /// A filtered run of the account is active, so this default run pauses.
    FilteredCampaignActive,
    SubscriptionExpired,
    Disconnected,
    /// Too many of the account's messages fail.
    FailureRate,
    /// Too many people opt out of the account's messages.
    OptOutRate,
    /// The provider restricts the account, or its channel accepts nothing.
    ChannelUnhealthy,
    /// A message could not be rendered; a new revision lifts the pause.
    TemplateError,
    /// The stored campaign cannot be used; a new version of its manifest lifts the pause.
    Frozen,
    /// Nobody is left to enroll, and no target is active.
    Drained,
    /// `endAt` has passed.
    Ended,
    /// The manifest is gone.
    Pruned,
}

impl Reason {
    pub const ALL: [Self; 21] = [
        Self::Manifest,
        Self::Operator,
        Self::WaitingForStart,
        Self::QueuedBehind,
        Self::WaitingForPeople,
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
        Self::Frozen,
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
            Self::WaitingForPeople => "waiting-for-people",
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
            Self::Frozen => "frozen",
            Self::Drained => "drained",
            Self::Ended => "ended",
            Self::Pruned => "pruned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}
