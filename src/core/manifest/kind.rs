//! The kinds of manifests.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    Campaign,
    Filter,
    Schedule,
    Sequence,
    Defaults,
    Channel,
    Queue,
    Account,
    Notifier,
    CampaignTest,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::Campaign,
        Self::Filter,
        Self::Schedule,
        Self::Sequence,
        Self::Defaults,
        Self::Channel,
        Self::Queue,
        Self::Account,
        Self::Notifier,
        Self::CampaignTest,
    ];

    /// The kinds whose resources can stay in force when their manifest is removed.
    pub(super) const PRUNED: [Self; 6] =
        [Self::Campaign, Self::Sequence, Self::Channel, Self::Queue, Self::Account, Self::Notifier];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Campaign => "Campaign",
            Self::Filter => "Filter",
            Self::Schedule => "Schedule",
            Self::Sequence => "Sequence",
            Self::Defaults => "Defaults",
            Self::Channel => "Channel",
            Self::Queue => "Queue",
            Self::Account => "Account",
            Self::Notifier => "Notifier",
            Self::CampaignTest => "CampaignTest",
        }
    }

    /// Parses the name of a kind as manifests spell it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
