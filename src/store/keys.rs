//! Keys of targets and messages as rows of a batch.

use super::columns::columns;
use crate::core::domain::{AccountId, CampaignId, MessageKey, ReferralId, TargetKey};

columns! {
    /// The key of a target.
    #[expect(clippy::struct_field_names, reason = "the fields are the columns")]
    pub(super) struct TargetKeyRow {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
    }
}

impl From<TargetKey> for TargetKeyRow {
    fn from(TargetKey { account: account_id, campaign: campaign_id, referral: referral_id }: TargetKey) -> Self {
        Self { account_id, campaign_id, referral_id }
    }
}

columns! {
    /// The key of a message.
    pub(super) struct MessageKeyRow {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
    }
}

impl From<MessageKey> for MessageKeyRow {
    fn from(MessageKey { target, day }: MessageKey) -> Self {
        let TargetKey { account: account_id, campaign: campaign_id, referral: referral_id } = target;
        Self { account_id, campaign_id, referral_id, day }
    }
}
