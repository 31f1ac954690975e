//! Provider names of messages and of people.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::PgConnection;

use super::handset::MOST;
use crate::core::domain::{AccountId, CampaignId, MessageKey, Phone, ReferralId};
use crate::store::columns::{Batch, columns};
use crate::store::rows::message_key;
use crate::store::{Error, Store};

/// Provider names of people, each with a phone of theirs.
pub(super) type Names<'a> = BTreeSet<(&'a str, String)>;

/// The provider's id of a message, and its names for the recipient.
#[derive(Debug)]
pub(super) struct KnownAs<'a> {
    pub(super) provider_id: &'a str,
    pub(super) key: MessageKey,
    pub(super) names: Names<'a>,
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

/// Records new names, in key order, so that concurrent transactions do not deadlock. Returns as [`learn_people`].
pub(super) async fn learn(tx: &mut PgConnection, known_as: Vec<KnownAs<'_>>) -> Result<BTreeSet<String>, Error> {
    let people: Names<'_> = known_as.iter().flat_map(|known_as| known_as.names.iter().cloned()).collect();
    let known_as: BTreeMap<&str, KnownAs<'_>> =
        known_as.into_iter().map(|known_as| (known_as.provider_id, known_as)).collect();
    if known_as.is_empty() {
        return Ok(BTreeSet::new());
    }
    let names = known_as.values().map(|known_as| NameRow {
        provider_id: known_as.provider_id,
        account_id: known_as.key.target.account,
        campaign_id: known_as.key.target.campaign,
        referral_id: known_as.key.target.referral,
        day: known_as.key.day,
    });
    LEARN.query(names).execute(&mut *tx).await.map_err(Error::during("save the provider's ids of messages"))?;
    learn_people(tx, people).await
}

/// Records those provider names of people that are [`news`], and returns their phones.
pub(super) async fn learn_people(tx: &mut PgConnection, people: Names<'_>) -> Result<BTreeSet<String>, Error> {
    let people = news(tx, people).await?;
    save_people(tx, people).await
}

/// Returns the names that are not known, or whose handset is suppressed in part: a process may have died before it acted
/// on them. One statement, and nearly always nothing.
pub(super) async fn news<'a>(tx: &mut PgConnection, mut people: Names<'a>) -> Result<Names<'a>, Error> {
    if people.is_empty() {
        return Ok(people);
    }
    let news: Vec<(String, String)> = sqlx::query_as(include_str!("provider_message_news.sql"))
        .bind(people.iter().map(|(name, _)| *name).collect::<Vec<_>>())
        .bind(people.iter().map(|(_, phone)| phone.as_str()).collect::<Vec<_>>())
        .bind(i64::try_from(MOST).unwrap_or(i64::MAX) + 1)
        .fetch_all(tx)
        .await
        .map_err(Error::during("look for new names of people"))?;
    let news: BTreeSet<(&str, &str)> = news.iter().map(|(name, phone)| (name.as_str(), phone.as_str())).collect();
    people.retain(|(name, phone)| news.contains(&(*name, phone.as_str())));
    Ok(people)
}

/// Records provider names of people, and returns their phones.
pub(super) async fn save_people(tx: &mut PgConnection, people: Names<'_>) -> Result<BTreeSet<String>, Error> {
    if people.is_empty() {
        return Ok(BTreeSet::new());
    }
    sqlx::query(
        "insert into alias (id, phone) select id, phone from unnest($1::text[], $2::text[]) as u (id, phone)
         where not exists (select from alias a where (a.id, a.phone) = (u.id, u.phone))
           and (select count(*) from (select from alias a where a.id = u.id limit $3) known) < $3
         order by id, phone on conflict do nothing",
    )
    .bind(people.iter().map(|(name, _)| *name).collect::<Vec<_>>())
    .bind(people.iter().map(|(_, phone)| phone.as_str()).collect::<Vec<_>>())
    .bind(i64::try_from(MOST).unwrap_or(i64::MAX) + 1)
    .execute(tx)
    .await
    .map_err(Error::during("save the provider's names of people"))?;
    Ok(people.into_iter().map(|(_, phone)| phone).collect())
}

/// Returns the phones of people by provider name, except names that too many have. Phones that a person has left for
/// another number count only `with_left`.
pub(super) async fn people_called(
    tx: &mut PgConnection,
    ids: &[&str],
    with_left: bool,
) -> Result<HashMap<String, Vec<Phone>>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String)> =
        sqlx::query_as("select id, phone from alias where id = any($1) and ($2 or not is_left) order by id, phone")
            .bind(ids)
            .bind(with_left)
            .fetch_all(tx)
            .await
            .map_err(Error::during("look for people by the provider's names"))?;
    let mut called: HashMap<String, Vec<Phone>> = HashMap::new();
    for (id, phone) in rows {
        called.entry(id).or_default().push(Phone::trusted(phone));
    }
    called.retain(|_, phones| phones.len() <= MOST);
    Ok(called)
}

/// Returns a provider's name as it is stored: a number without its `+`.
pub(super) fn stored_name(name: &str) -> &str {
    name.strip_prefix('+').unwrap_or(name)
}
