//! Overrides as users see them.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Error, Store};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::overrides::Action;

/// An operator's override, as `plan -o json` lists it under `overrides`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Override {
    /// Null for all campaigns of the account.
    pub campaign: Option<String>,
    /// The account's external id; null for all accounts of the campaign.
    pub account: Option<String>,
    #[sqlx(try_from = "String")]
    pub action: Action,
    pub actor: String,
    pub reason: String,
    pub created_at: Timestamp,
    /// Null until it is cleared.
    pub until: Option<Timestamp>,
}

impl Store {
    /// Returns the overrides in effect at `now`, by campaign and account, without those of removed campaigns.
    pub async fn overrides(&self, now: Timestamp) -> Result<Vec<Override>, Error> {
        sqlx::query_as(
            "select c.name as campaign, a.external_id as account, o.action, o.actor, o.reason, o.created_at, o.until
             from override o left join campaign c on c.id = o.campaign_id left join account a on a.id = o.account_id
             where (o.until is null or o.until > $1) and c.removed_at is null
             order by c.name nulls first, a.external_id nulls first",
        )
        .bind(now)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the overrides"))
    }

    /// Returns the overrides in effect at `now` on a campaign in force: for one account, those that apply to it.
    pub async fn overrides_of(
        &self,
        campaign: &str,
        account: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Override>, Error> {
        sqlx::query_as(
            "select c.name as campaign, a.external_id as account, o.action, o.actor, o.reason, o.created_at, o.until
             from override o join campaign c on c.id = o.campaign_id left join account a on a.id = o.account_id
             where (o.until is null or o.until > $1) and c.removed_at is null and c.name = $2
               and ($3::text is null or o.account_id is null or a.external_id = $3)
             order by a.external_id nulls first",
        )
        .bind(now)
        .bind(campaign)
        .bind(account)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the overrides"))
    }
}
