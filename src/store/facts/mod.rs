//! Imported facts: accounts, referrals, payments and consent; and their erasure.

pub(super) mod erasure;
pub(super) mod event;
pub(super) mod import;
