//! Identifiers of database rows: plain numbers in the database, distinct types in the code.

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
    /// An account id, numbered by the database at the first import.
    AccountId(i32)
);
id!(
    /// A campaign id, numbered by the database when the manifest was first applied.
    CampaignId(i32)
);
id!(
    /// A referral id, numbered by the database at the first import.
    ReferralId(i64)
);

/// The natural key of a target: one referral in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    pub account: AccountId,
    pub campaign: CampaignId,
    pub referral: ReferralId,
}

/// The natural key of a message: one day of one target. A target therefore never gets two messages for one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    pub target: TargetKey,
    /// The day of the sequence, from 1.
    pub day: i16,
}

impl MessageKey {
    /// Returns `3.1.4711.2`: account, campaign, referral and day.
    pub(super) fn numbers(&self) -> impl fmt::Display {
        let Self { target: TargetKey { account, campaign, referral }, day } = self;
        format!("{}.{}.{}.{day}", account.0, campaign.0, referral.0)
    }
}

/// Writes `relance.3.1.4711.2`. Providers get a [`Callback`](super::Callback) instead.
impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}.{}", self.numbers())
    }
}

/// The error for text that is no message id of relance.
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
        if parts.next() != Some(PREFIX) {
            return Err(NotAMessage);
        }
        let (account, campaign) = (AccountId(number(parts.next())?), CampaignId(number(parts.next())?));
        let target = TargetKey { account, campaign, referral: ReferralId(number(parts.next())?) };
        let key = Self { target, day: number(parts.next())? };
        // A key in another spelling comes from another program.
        if key.to_string() == text { Ok(key) } else { Err(NotAMessage) }
    }
}

/// The prefix of all message ids.
pub(super) const PREFIX: &str = "relance";

#[cfg(test)]
mod tests {
    use super::{AccountId, CampaignId, MessageKey, NotAMessage, ReferralId, TargetKey};

    #[test]
    fn a_message_key_survives_a_round_trip_as_text() {
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
