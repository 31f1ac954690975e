//! The verdict of the gate, and its reasons to hold a message back.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::domain::Timestamp;
use crate::core::lifecycle::target::Exit;

/// The verdict of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// The message waits until `until`, the time to ask again; `None` when only an event can change the verdict.
    Hold {
        reason: Hold,
        until: Option<Timestamp>,
    },
    Exit(Exit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "HoldReason")]
pub enum Hold {
    RunNotActive,
    SendingOff,
    SubscriptionExpired,
    Disconnected,
    RunRestriction,
    ConsentMissing,
    NearOptOut,
    OutsideWindow,
    AccountCap,
    CampaignCap,
    WrittenToday,
    Pacing,
    Throttled,
}

impl Hold {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunNotActive => "run-not-active",
            Self::SendingOff => "sending-off",
            Self::SubscriptionExpired => "subscription-expired",
            Self::Disconnected => "disconnected",
            Self::RunRestriction => "halted",
            Self::ConsentMissing => "consent-missing",
            Self::NearOptOut => "near-opt-out",
            Self::OutsideWindow => "outside-window",
            Self::AccountCap => "account-cap",
            Self::CampaignCap => "campaign-cap",
            Self::WrittenToday => "written-today",
            Self::Pacing => "pacing",
            Self::Throttled => "throttled",
        }
    }

    /// Returns the meaning as the end of a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::RunNotActive => "the run is not active",
            Self::SendingOff => "sending is off for the account",
            Self::SubscriptionExpired => "the account's subscription has ended",
            Self::Disconnected => "the account's WhatsApp is not connected",
            Self::RunRestriction => "the account, or the channel it sends by, was stopped for its own sake",
            Self::ConsentMissing => "there is no consent on record",
            Self::NearOptOut => {
                "their reply, or a row of an import, may mean that they want no more messages; somebody must read it"
            }
            Self::OutsideWindow => "it is outside the hours in which the campaign may write",
            Self::AccountCap => "the account has reached its messages of the day",
            Self::CampaignCap => "the run has reached its messages of the day",
            Self::WrittenToday => "this person was written to today",
            Self::Pacing => "the account keeps its pace between two messages",
            Self::Throttled => "the account's number was too fast for its provider",
        }
    }

    /// Returns the scope of the reason where all people of a run have the same windows.
    pub(super) const fn scope(self) -> Scope {
        match self {
            Self::ConsentMissing | Self::NearOptOut | Self::WrittenToday => Scope::Person,
            // Another run may use another channel.
            Self::RunNotActive | Self::RunRestriction | Self::OutsideWindow | Self::CampaignCap => Scope::Run,
            Self::SendingOff
            | Self::SubscriptionExpired
            | Self::Disconnected
            | Self::AccountCap
            | Self::Pacing
            | Self::Throttled => Scope::Account,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Person,
    Run,
    Account,
}
