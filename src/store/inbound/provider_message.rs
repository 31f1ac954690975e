//! Provider names of messages and of people.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use crate::core::domain::{AccountId, CampaignId, MessageKey, Phone, ReferralId};
use crate::store::columns::{Batch, columns};
use crate::store::rows::message_key;
use crate::store::{Error, Store};

/// The provider's id of a message, and its recipient if the provider names them differently.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) provider_id: &'a str,
    pub(super) key: MessageKey,
    /// The provider's name for the person, and their phone.
    pub(super) alias: Option<(&'a str, String)>,
}

impl Store {
    /// Returns the messages with these provider ids, as far as the provider has reported them.
    pub async fn called(&self, provider_ids: &[&str]) -> Result<HashMap<String, MessageKey>, Error> {
        if provider_ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(String, i32, i32, i64, i16)> = sqlx::query_as(
            "select provider_id, account_id, campaign_id, referral_id, day from provider_message
             where provider_id = any($1)",
        )
        .bind(provider_ids)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("look for messages by the provider's ids"))?;
        let key = |(id, account, campaign, referral, day)| (id, message_key((account, campaign, referral, day)));
        Ok(rows.into_iter().map(key).collect())
    }
}

columns! {
    /// The provider's name for a message.
    struct NameRow<'a> {
        provider_id: &'a str,
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
    }
}

const LEARN: Batch<NameRow<'_>> = Batch::of(
    "insert into provider_message (provider_id, account_id, campaign_id, referral_id, day)
     select provider_id, account_id, campaign_id, referral_id, day
     from unnest($1::text[], $2::int[], $3::int[], $4::bigint[], $5::smallint[])
          as u (provider_id, account_id, campaign_id, referral_id, day)
     where not exists (select from provider_message p where p.provider_id = u.provider_id)
     order by provider_id on conflict (provider_id) do nothing",
);

/// Records new names, in key order, so that concurrent transactions do not deadlock.
pub(super) async fn learn(tx: &mut PgConnection, told: Vec<Told<'_>>) -> Result<(), Error> {
    let told: BTreeMap<&str, Told<'_>> = told.into_iter().map(|told| (told.provider_id, told)).collect();
    if told.is_empty() {
        return Ok(());
    }
    let names = told.values().map(|told| NameRow {
        provider_id: told.provider_id,
        account_id: told.key.target.account,
        campaign_id: told.key.target.campaign,
        referral_id: told.key.target.referral,
        day: told.key.day,
    });
    LEARN.query(names).execute(&mut *tx).await.map_err(Error::during("save the provider's ids of messages"))?;
    learn_people(tx, told.into_values().filter_map(|told| told.alias).collect()).await
}

/// Records provider names of people with known phones; the first phone recorded for a name stays.
pub(super) async fn learn_people(tx: &mut PgConnection, people: BTreeMap<&str, String>) -> Result<(), Error> {
    if people.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into alias (id, phone) select id, phone from unnest($1::text[], $2::text[]) as u (id, phone)
         where not exists (select from alias a where a.id = u.id)
         order by id on conflict (id) do nothing",
    )
    .bind(people.keys().collect::<Vec<_>>())
    .bind(people.values().collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::during("save the provider's names of people"))?;
    Ok(())
}

/// Returns the phones of people by provider name, where it differs from the phone.
pub(super) async fn people_called(tx: &mut PgConnection, ids: &[&str]) -> Result<HashMap<String, Phone>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String)> = sqlx::query_as("select id, phone from alias where id = any($1)")
        .bind(ids)
        .fetch_all(tx)
        .await
        .map_err(Error::during("look for people by the provider's names"))?;
    Ok(rows.into_iter().map(|(id, phone)| (id, Phone::trusted(phone))).collect())
}
