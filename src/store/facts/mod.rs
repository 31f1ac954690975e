//! Imported facts: accounts, referrals, payments and consent; and who was erased.

pub(super) mod erased;
pub(super) mod event;
pub(super) mod import;
