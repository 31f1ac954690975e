//! Identifiers of what is in the database. Plain numbers there, distinct types here.

use serde::Serialize;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($number:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub $number);
    };
}

id!(
    /// An account, as numbered by the database at its first import.
    AccountId(i32)
);
id!(
    /// A campaign, as numbered by the database when its manifest was first applied.
    CampaignId(i32)
);
id!(
    /// A referral, as numbered by the database at its first import.
    ReferralId(i64)
);

/// One referral in one run: the natural key of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    pub account: AccountId,
    pub campaign: CampaignId,
    pub referral: ReferralId,
}

/// What one target gets on one day: the natural key of a message, hence at most one for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    pub target: TargetKey,
    /// Day of the sequence, from 1.
    pub day: i16,
}
