//! Identifiers of what is in the database. Plain numbers there, distinct types here.

use std::fmt;
use std::str::FromStr;

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

impl MessageKey {
    /// `3.1.4711.2`: account, campaign, referral and day.
    pub(super) fn numbers(&self) -> impl fmt::Display {
        let Self { target: TargetKey { account, campaign, referral }, day } = self;
        format!("{}.{}.{}.{day}", account.0, campaign.0, referral.0)
    }
}

/// `relance.3.1.4711.2`; providers are told a [`Callback`](super::Callback).
impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}.{}", self.numbers())
    }
}

/// What was not told by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the key of a message")]
pub struct NotAMessage;

impl FromStr for MessageKey {
    type Err = NotAMessage;

    fn from_str(text: &str) -> Result<Self, NotAMessage> {
        fn number<T: FromStr>(part: Option<&str>) -> Result<T, NotAMessage> {
            part.and_then(|part| part.parse().ok()).ok_or(NotAMessage)
        }
        let mut parts = text.split('.');
        if parts.next() != Some(MARK) {
            return Err(NotAMessage);
        }
        let (account, campaign) = (AccountId(number(parts.next())?), CampaignId(number(parts.next())?));
        let target = TargetKey { account, campaign, referral: ReferralId(number(parts.next())?) };
        let key = Self { target, day: number(parts.next())? };
        // Whoever writes a key otherwise than we do is somebody else.
        if key.to_string() == text { Ok(key) } else { Err(NotAMessage) }
    }
}

/// What all of them begin with.
pub(super) const MARK: &str = "relance";

#[cfg(test)]
mod tests {
    use super::{AccountId, CampaignId, MessageKey, NotAMessage, ReferralId, TargetKey};

    #[test]
    fn providers_tell_keys_back() {
        let target = TargetKey { account: AccountId(3), campaign: CampaignId(1), referral: ReferralId(4_711) };
        let key = MessageKey { target, day: 2 };
        assert_eq!(key.to_string(), "relance.3.1.4711.2");
        assert_eq!("relance.3.1.4711.2".parse(), Ok(key));
        for other in
            ["", "relance", "relance.3.1.4711", "relance.3.1.4711.2.1", "relance.03.1.4711.2", "other.3.1.4711.2"]
        {
            assert_eq!(other.parse::<MessageKey>(), Err(NotAMessage), "{other}");
        }
    }
}
