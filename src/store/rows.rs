//! Conversion of columns to domain types. Values in the database were checked when they were written.

use super::Error;
use crate::core::dispatch::account_health::Count;
use crate::core::domain::{AccountId, CampaignId, MessageKey, ReferralId, TargetKey, Zone};

/// Parses a zone that an import has accepted.
pub(super) fn zone(name: &str) -> Result<Zone, sqlx::Error> {
    Zone::parse(name).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// Builds a message key from its columns: account, campaign, referral and day.
pub(super) fn message_key((account, campaign, referral, day): (i32, i32, i64, i16)) -> MessageKey {
    let (account, campaign, referral) = (AccountId(account), CampaignId(campaign), ReferralId(referral));
    MessageKey { target: TargetKey { account, campaign, referral }, day }
}

/// Builds the error for a value that the database should not be able to hold.
pub(super) fn strange(what: &str, value: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("`{value}` is not {what}").into())
}

/// Maps the errors of converting rows to domain types, for `map_err`.
pub(super) fn decode(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    Error::during(operation)
}

/// Converts to a Postgres integer, saturating.
pub(super) fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Builds the counts from their columns.
pub(super) fn count(handed: i32, failed: i32, opted_out: i32) -> Count {
    Count { handed: handed.unsigned_abs(), failed: failed.unsigned_abs(), opted_out: opted_out.unsigned_abs() }
}
