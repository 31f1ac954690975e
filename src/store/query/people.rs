//! People, with the facts that decide between them and the campaigns of their account.

use serde::Serialize;
use serde_json::Value;

use super::{Error, Store};
use crate::core::domain::{AccountId, CampaignId, ReferralId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::run::Phase;

/// The facts of a referral that the gate and the filters use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Person {
    /// The referral's external id; `account` is the account's external id.
    pub referral: String,
    pub account: String,
    pub name: String,
    pub phone: String,
    pub language: Option<String>,
    pub country: String,
    pub registered_at: Timestamp,
    pub paid_at: Option<Timestamp>,
    /// `opted_in`, `opted_out`, or null if unknown.
    pub consent: Option<String>,
    pub consent_source: Option<String>,
    pub consent_at: Option<Timestamp>,
    /// The instant of the person's opt-out, which overrides the import's consent.
    pub suppressed_at: Option<Timestamp>,
    /// The instant of a possible opt-out that still awaits review.
    pub held_at: Option<Timestamp>,
    /// The account's time zone.
    pub timezone: String,
    /// The person's own time zone, if the export tells it.
    pub own_timezone: Option<String>,
    #[serde(skip)]
    account_id: i32,
    #[serde(skip)]
    referral_id: i64,
    /// The account's extra columns, by which campaigns select it.
    #[serde(skip)]
    pub labels: Value,
}

impl Person {
    pub fn keys(&self) -> (AccountId, ReferralId) {
        (AccountId(self.account_id), ReferralId(self.referral_id))
    }
}

/// The columns of [`Person`] from `referral r`, `account a` and `suppression s`.
macro_rules! person_columns {
    () => {
        "r.external_id as referral, a.external_id as account, r.name, r.phone, r.language, r.country, r.registered_at,
         r.paid_at, r.consent, r.consent_source, r.consent_at, s.suppressed_at, a.timezone,
         r.timezone as own_timezone, r.account_id,
         (select min(h.held_at) from person_hold h where h.account_id in (r.account_id, 0) and h.phone = r.phone) as held_at,
         r.id as referral_id, a.attributes as labels"
    };
}
pub(super) use person_columns;

/// The state of one run of an account.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RunState {
    campaign_id: i32,
    #[sqlx(try_from = "String")]
    pub phase: Phase,
    #[sqlx(json)]
    pub detail: Detail,
    /// The instant of the next enrollment pass.
    pub enroll_at: Option<Timestamp>,
}

impl RunState {
    pub fn campaign(&self) -> CampaignId {
        CampaignId(self.campaign_id)
    }
}

impl Store {
    /// Returns the person with this external id.
    pub async fn person(&self, referral: &str) -> Result<Option<Person>, Error> {
        sqlx::query_as(concat!(
            "select ",
            person_columns!(),
            " from referral r join account a on a.id = r.account_id left join suppression s on s.phone = r.phone
             where r.external_id = $1"
        ))
        .bind(referral)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::during("read a person"))
    }

    /// Returns the states of an account's runs.
    pub async fn run_states(&self, account: AccountId) -> Result<Vec<RunState>, Error> {
        sqlx::query_as("select campaign_id, phase, detail, enroll_at from run where account_id = $1")
            .bind(account.0)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("read the runs of an account"))
    }
}
