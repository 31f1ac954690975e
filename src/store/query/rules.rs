//! The rules of accounts as users see them, and the names that one account may see.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Error, Store, Wanted};
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId};
use crate::core::manifest::desired::policy::Switch;

/// The rules that apply to an account: `GET /api/relance/config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rules {
    /// The account's external id.
    pub account: String,
    /// True while the run of the account's default campaign is paused.
    pub default_paused: bool,
    /// True if the default campaign continues while a filtered campaign is active.
    pub allow_simultaneous_campaigns: bool,
    /// The switch for enrollment by the account's campaigns.
    pub enrollment: Switch,
    /// The switch for sending.
    pub sending: Switch,
    /// The daily cap over all campaigns; null if there is none.
    pub messages_per_day: Option<u32>,
    /// The channel of campaigns that name none; null for the built-in sandbox.
    pub channel: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    external_id: String,
    labels: Value,
    default_paused: bool,
}

/// The names of a filter that exist, and that the account may see. A name that was not given counts as seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Visible {
    pub campaign: bool,
    pub account: bool,
    pub referral: bool,
}

impl Store {
    /// Returns the rules of accounts of `wanted` (account, limit) whose external id comes after `place`, by that id.
    pub async fn rules_after(
        &self,
        program: &Program,
        wanted: &Wanted,
        place: Option<&str>,
    ) -> Result<Vec<Rules>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select a.external_id, a.attributes as labels, exists (
                      select from run r join campaign c on c.id = r.campaign_id and c.removed_at is null
                      join manifest f on f.kind = 'Campaign' and f.name = c.name and f.body ->> 'type' = 'default'
                      where r.account_id = a.id and r.phase = 'paused') as default_paused
             from account a where ($1::text is null or a.external_id = $1) and ($2::text is null or a.external_id > $2)
             order by a.external_id limit $3",
        )
        .bind(&wanted.account)
        .bind(place)
        .bind(wanted.limit)
        .persistent(false)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the rules of accounts"))?;
        let rules = |Row { external_id, labels, default_paused }: Row| {
            let policy = program.policies.of(&external_id, &labels);
            Rules {
                account: external_id,
                default_paused,
                allow_simultaneous_campaigns: policy.allow_simultaneous_campaigns,
                enrollment: policy.enrollment,
                sending: policy.sending,
                messages_per_day: policy.messages_per_day,
                channel: policy.channel.as_ref().map(ToString::to_string),
            }
        };
        Ok(rows.into_iter().map(rules).collect())
    }

    /// Returns the campaign in force with this name.
    pub async fn campaign_in_force(&self, name: &str) -> Result<Option<CampaignId>, Error> {
        let id: Option<i32> = sqlx::query_scalar("select id from campaign where name = $1 and removed_at is null")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::during("look for a campaign"))?;
        Ok(id.map(CampaignId))
    }

    /// Tells which names of `wanted` (campaign, account, referral) exist: anywhere, or as far as `scope` may see.
    pub async fn visible(&self, scope: Option<AccountId>, wanted: &Wanted) -> Result<Visible, Error> {
        sqlx::query_as(
            "select $1::text is null or exists (
                      select from campaign c where c.name = $1 and ($4::int is null or exists (
                        select from run r where r.account_id = $4 and r.campaign_id = c.id))) as campaign,
                    $2::text is null or exists (
                      select from account a where a.external_id = $2 and ($4 is null or a.id = $4)) as account,
                    $3::text is null or exists (
                      select from referral r where r.external_id = $3 and ($4 is null or r.account_id = $4)) as referral",
        )
        .bind(&wanted.campaign)
        .bind(&wanted.account)
        .bind(&wanted.referral)
        .bind(scope.map(|account| account.0))
        .fetch_one(&self.pool)
        .await
        .map_err(Error::during("look for names"))
    }
}
