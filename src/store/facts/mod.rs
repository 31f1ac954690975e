//! Imported facts: accounts, referrals, payments and consent; and erased people.

pub(super) mod erased;
pub(super) mod event;
pub(super) mod import;
mod paid;
pub(super) mod payment;
