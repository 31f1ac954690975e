//! Existing names and ids: lookup, and suggestions for misspelt names.

use std::collections::HashMap;

use super::{Error, Store};
use crate::core::domain::{AccountId, Phone, ReferralId};

/// The internal key of a referral and its phone, for callers that have the external id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub account: AccountId,
    pub referral: ReferralId,
    pub phone: Phone,
}

/// A target by the names of its parts.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TargetName {
    pub campaign: String,
    pub account: String,
    pub referral: String,
}

impl Store {
    /// Returns the names of all campaigns that ever ran.
    pub async fn campaign_names(&self) -> Result<Vec<String>, Error> {
        sqlx::query_scalar("select distinct name from campaign order by name")
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("read the names of the campaigns"))
    }

    /// Returns the external ids of all accounts.
    pub async fn account_names(&self) -> Result<Vec<String>, Error> {
        sqlx::query_scalar("select external_id from account order by external_id")
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("read the ids of the accounts"))
    }

    /// Returns the external ids of the referrals of one account.
    pub async fn referral_names(&self, account: &str) -> Result<Vec<String>, Error> {
        sqlx::query_scalar(
            "select r.external_id from referral r join account a on a.id = r.account_id
             where a.external_id = $1 order by r.external_id",
        )
        .bind(account)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the ids of the referrals"))
    }

    /// Returns true if any account has such a referral.
    pub async fn knows_referral(&self, referral: &str) -> Result<bool, Error> {
        sqlx::query_scalar("select exists (select from referral where external_id = $1)")
            .bind(referral)
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during("look for a referral"))
    }

    /// Returns the ids just before and after `referral` in any account, since there may be too many to read them all.
    pub async fn referral_names_near(&self, referral: &str) -> Result<Vec<String>, Error> {
        sqlx::query_scalar(
            "(select external_id from referral where external_id >= $1 order by external_id limit 100)
             union all
             (select external_id from referral where external_id < $1 order by external_id desc limit 100)",
        )
        .bind(referral)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("look for referrals"))
    }

    /// Returns the existing accounts among these external ids.
    pub async fn find_accounts(&self, ids: &[&str]) -> Result<HashMap<String, AccountId>, Error> {
        let rows: Vec<(String, i32)> =
            sqlx::query_as("select external_id, id from account where external_id = any($1)")
                .bind(ids)
                .fetch_all(&self.pool)
                .await
                .map_err(Error::during("look for accounts"))?;
        Ok(rows.into_iter().map(|(external_id, id)| (external_id, AccountId(id))).collect())
    }

    /// Returns the existing referrals among these external ids.
    pub async fn find_referrals(&self, ids: &[&str]) -> Result<HashMap<String, Identity>, Error> {
        let rows: Vec<(String, i32, i64, String)> =
            sqlx::query_as("select external_id, account_id, id, phone from referral where external_id = any($1)")
                .bind(ids)
                .fetch_all(&self.pool)
                .await
                .map_err(Error::during("look for referrals"))?;
        let identity = |(external_id, account, id, phone)| {
            let (account, referral) = (AccountId(account), ReferralId(id));
            (external_id, Identity { account, referral, phone: Phone::trusted(phone) })
        };
        Ok(rows.into_iter().map(identity).collect())
    }

    /// Returns the target that `campaign/account/referral` names. External ids may contain `/` themselves, so the query
    /// tries every split.
    pub async fn find_target(&self, id: &str) -> Result<Option<TargetName>, Error> {
        let Some((campaign, rest)) = id.split_once('/') else { return Ok(None) };
        let (accounts, referrals): (Vec<&str>, Vec<&str>) =
            rest.match_indices('/').map(|(at, slash)| (&rest[..at], &rest[at + slash.len()..])).unzip();
        sqlx::query_as(
            "select c.name as campaign, a.external_id as account, r.external_id as referral
             from unnest($2::text[], $3::text[]) as u (account, referral)
             join account a on a.external_id = u.account
             join referral r on r.external_id = u.referral and r.account_id = a.id
             join campaign c on c.name = $1
             join target t on t.account_id = a.id and t.campaign_id = c.id and t.referral_id = r.id
             order by c.id desc limit 1",
        )
        .bind(campaign)
        .bind(accounts)
        .bind(referrals)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::during("look for a target"))
    }
}
