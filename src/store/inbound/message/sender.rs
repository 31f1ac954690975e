//! Sender lookup: the person and the account of an inbound message, from what the provider reports.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use super::incoming::InboundMessage;
use crate::core::domain::{AccountId, Phone};
use crate::store::facts::erased;
use crate::store::inbound::provider_message::people_called;
use crate::store::{Error, Senders};

/// The sender of an inbound message, as far as known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) account: Option<AccountId>,
    pub(super) phone: Option<Phone>,
}

/// Provider names of people, with their phones.
pub(super) type Learnt<'a> = BTreeMap<&'a str, String>;

/// Finds the sender of each of `all`, and returns the names of people learnt on the way. Erased people are left out.
///
/// The phone is the first of these: the phone known under these digits; the digits themselves; the phone known under
/// this user id; the recipient of the answered message. The account is the first of these: the only one that sends by
/// the number written to; that of the answered message; the one that last wrote to the phone.
pub(super) async fn find<'a>(
    tx: &mut PgConnection,
    all: &'a [InboundMessage],
    senders: &Senders,
) -> Result<(Vec<Option<Who>>, Learnt<'a>), Error> {
    let names: Vec<&str> = all.iter().flat_map(|one| [&one.phone, &one.user]).flatten().map(String::as_str).collect();
    let called = people_called(tx, &names).await?;
    let answered = answered(tx, &all.iter().filter_map(|one| one.context.as_deref()).collect::<Vec<_>>()).await?;
    let mut learnt = Learnt::new();
    let mut found: Vec<Who> = Vec::with_capacity(all.len());
    for incoming in all {
        let whose = |name: &Option<String>| name.as_ref().and_then(|name| called.get(name.as_str())).cloned();
        let answered = incoming.context.as_ref().and_then(|id| answered.get(id.as_str()));
        let phone = whose(&incoming.phone)
            .or_else(|| incoming.phone.as_deref().and_then(|digits| Phone::parse(&format!("+{digits}"), None).ok()))
            .or_else(|| whose(&incoming.user))
            .or_else(|| answered.map(|(_, phone)| phone.clone()));
        if let Some((user, phone)) = incoming.user.as_deref().zip(phone.as_ref()) {
            learnt.insert(user, phone.as_str().to_owned());
        }
        let sender = incoming.number.as_deref().and_then(|number| senders.only(number));
        found.push(Who { account: sender.or(answered.map(|(account, _)| *account)), phone });
    }
    let strangers = found.iter().filter(|who| who.account.is_none());
    let phones: Vec<&str> = strangers.filter_map(|who| who.phone.as_ref().map(Phone::as_str)).collect();
    let writers = last_writers(tx, &phones).await?;
    for who in found.iter_mut().filter(|who| who.account.is_none()) {
        who.account = who.phone.as_ref().and_then(|phone| writers.get(phone.as_str())).copied();
    }
    let phones = found.iter().filter_map(|who| who.phone.as_ref().map(Phone::as_str));
    let names: Vec<&str> = phones.chain(all.iter().filter_map(|one| one.user.as_deref())).collect();
    let gone = erased::among(tx, &names).await?;
    learnt.retain(|_, phone| !gone.contains(phone));
    let known = |(incoming, who): (&InboundMessage, Who)| {
        let mut names = who.phone.as_ref().map(Phone::as_str).into_iter().chain(incoming.user.as_deref());
        if names.any(|name| gone.contains(name)) { None } else { Some(who) }
    };
    Ok((all.iter().zip(found).map(known).collect(), learnt))
}

/// Returns the account and the recipient of the messages with these provider ids.
async fn answered(tx: &mut PgConnection, ids: &[&str]) -> Result<HashMap<String, (AccountId, Phone)>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, i32, String)> = sqlx::query_as(
        "select p.provider_id, m.account_id, m.phone from provider_message p
         join message m on (m.account_id, m.referral_id, m.campaign_id, m.day)
                         = (p.account_id, p.referral_id, p.campaign_id, p.day)
         where p.provider_id = any($1) and m.phone <> ''",
    )
    .bind(ids)
    .fetch_all(tx)
    .await
    .map_err(Error::during("look for answered messages"))?;
    Ok(rows.into_iter().map(|(id, account, phone)| (id, (AccountId(account), Phone::trusted(phone)))).collect())
}

/// Returns the account that last wrote to each phone; if none did, any account that knows it.
async fn last_writers(tx: &mut PgConnection, phones: &[&str]) -> Result<HashMap<String, AccountId>, Error> {
    if phones.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, i32)> = sqlx::query_as(
        "select distinct on (r.phone) r.phone, r.account_id from referral r
         left join lateral (select max(queued_at) as at from message m
                            where (m.account_id, m.referral_id) = (r.account_id, r.id)) m on true
         where r.phone = any($1) order by r.phone, m.at desc nulls last, r.account_id",
    )
    .bind(phones)
    .fetch_all(tx)
    .await
    .map_err(Error::during("find the last sender to people"))?;
    Ok(rows.into_iter().map(|(phone, account)| (phone, AccountId(account))).collect())
}
