//! Accounts and their use of the day's quota, as users see them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::questions::lanes;
use super::{Error, Store, Wanted};
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, Timestamp};
use crate::core::manifest::desired::policy::Switch;

/// An account: `get accounts -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Account {
    /// The account's external id.
    pub id: String,
    pub name: String,
    pub phone: Option<String>,
    pub language: Option<String>,
    pub country: Option<String>,
    pub timezone: String,
    pub subscription_plan: Option<String>,
    pub subscription_ends_at: Option<Timestamp>,
    /// `connected`, `disconnected`, `expired`, or null if the export does not say.
    pub whatsapp_status: Option<String>,
    /// Extra columns of the import, by which manifests select accounts.
    pub labels: Value,
    /// Distinct people: two rows with the same phone count once.
    pub referrals: i64,
    pub unpaid: i64,
    pub active_runs: i64,
    pub active_targets: i64,
    /// Messages claimed on the account's local day; the cap applies to this number.
    pub sent_today: u32,
    /// The switch for enrollment by the account's campaigns.
    pub enrollment: Switch,
    /// The switch for sending.
    pub sending: Switch,
    /// The daily cap over all campaigns; null if there is none.
    pub messages_per_day: Option<u32>,
    /// The instant before which pacing lets no message leave.
    pub next_slot_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    number: i32,
    external_id: String,
    name: String,
    phone: Option<String>,
    language: Option<String>,
    country: Option<String>,
    timezone: String,
    subscription_plan: Option<String>,
    subscription_ends_at: Option<Timestamp>,
    whatsapp_status: Option<String>,
    labels: Value,
    referrals: i64,
    unpaid: i64,
    active_runs: i64,
    active_targets: i64,
}

impl Store {
    /// Returns accounts of `wanted` (account, limit) by external id.
    pub async fn accounts(&self, program: &Program, wanted: &Wanted, now: Timestamp) -> Result<Vec<Account>, Error> {
        self.accounts_after(program, wanted, None, now).await
    }

    /// Returns the accounts of [`Store::accounts`] whose external id comes after `place`.
    pub async fn accounts_after(
        &self,
        program: &Program,
        wanted: &Wanted,
        place: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Account>, Error> {
        let mut tx = self.looking().await?;
        let rows: Vec<AccountRow> = sqlx::query_as(include_str!("accounts.sql"))
            .bind(&wanted.account)
            .bind(wanted.limit)
            .bind(place)
            .persistent(false)
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::during("read the accounts"))?;
        let numbers: Vec<i32> = rows.iter().map(|row| row.number).collect();
        let lanes = lanes(&mut tx, program, &numbers).await?;
        let account = |row: AccountRow| {
            let lane = lanes.get(&AccountId(row.number));
            let policy = program.policies.of(&row.external_id, &row.labels);
            Account {
                id: row.external_id,
                name: row.name,
                phone: row.phone,
                language: row.language,
                country: row.country,
                timezone: row.timezone,
                subscription_plan: row.subscription_plan,
                subscription_ends_at: row.subscription_ends_at,
                whatsapp_status: row.whatsapp_status,
                labels: row.labels,
                referrals: row.referrals,
                unpaid: row.unpaid,
                active_runs: row.active_runs,
                active_targets: row.active_targets,
                sent_today: lane.map_or(0, |lane| lane.taken.of(lane.zone.date(now))),
                enrollment: policy.enrollment,
                sending: policy.sending,
                messages_per_day: policy.messages_per_day,
                next_slot_at: lane.and_then(|lane| lane.pace.next_slot_at).filter(|at| *at > now),
            }
        };
        Ok(rows.into_iter().map(account).collect())
    }
}
