//! Keys of targets as columns.

use crate::core::domain::TargetKey;

/// The parts of target keys as columns.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) accounts: Vec<i32>,
    pub(super) campaigns: Vec<i32>,
    pub(super) referrals: Vec<i64>,
}

impl Keys {
    pub(super) fn push(&mut self, key: TargetKey) {
        self.accounts.push(key.account.0);
        self.campaigns.push(key.campaign.0);
        self.referrals.push(key.referral.0);
    }
}

impl FromIterator<TargetKey> for Keys {
    fn from_iter<I: IntoIterator<Item = TargetKey>>(keys: I) -> Self {
        let mut all = Self::default();
        keys.into_iter().for_each(|key| all.push(key));
        all
    }
}
