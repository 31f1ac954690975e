//! The invented people of a test as an export for the production import.

use serde_json::{Value, json};

use crate::core::domain::Zone;
use crate::core::manifest::testcase::{AccountSpec, ConsentSpec, ReferralSpec};

/// Returns an NDJSON export with one line per account.
pub(super) fn accounts<'a>(accounts: impl Iterator<Item = &'a AccountSpec>) -> Vec<u8> {
    export(accounts.map(|account| {
        json!({
            "id": account.id,
            "name": account.name.as_ref().unwrap_or(&account.id),
            "language": account.language,
            "country": account.country,
            "timezone": account.timezone.as_ref().map_or("UTC", |zone| zone.as_str()),
            "phone": account.phone,
            "subscription_ends_at": account.subscription_ends_at,
            "whatsapp_status": account.connected.map(|connected| if connected { "connected" } else { "disconnected" }),
            "attributes": account.labels.clone().unwrap_or_default(),
        })
    }))
}

/// Returns an NDJSON export with one line per referral.
pub(super) fn referrals<'a>(referrals: impl Iterator<Item = &'a ReferralSpec>) -> Vec<u8> {
    export(referrals.map(|referral| {
        json!({
            "id": referral.id,
            "account_id": referral.account,
            "name": referral.name.as_ref().unwrap_or(&referral.id),
            "phone": referral.phone,
            "language": referral.language,
            "country": referral.country,
            "timezone": referral.timezone.as_ref().map(Zone::as_str),
            "gender": referral.gender,
            "profession": referral.profession,
            "birth_date": referral.birth_date,
            "registered_at": referral.registered_at,
            "paid_at": referral.paid_at,
            "consent": match referral.consent {
                Some(ConsentSpec::OptedIn) => Some("opted_in"),
                Some(ConsentSpec::OptedOut) => Some("opted_out"),
                Some(ConsentSpec::Unknown) | None => None,
            },
            "attributes": referral.attributes.clone().unwrap_or_default(),
        })
    }))
}

fn export(lines: impl Iterator<Item = Value>) -> Vec<u8> {
    lines.flat_map(|line| (line.to_string() + "\n").into_bytes()).collect()
}
