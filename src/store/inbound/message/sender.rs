//! Sender lookup: the person and the account of an inbound message, from what the provider reports.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;

use super::doubt;
use super::incoming::InboundMessage;
use crate::core::domain::{AccountId, Phone};
use crate::store::facts::erased;
use crate::store::inbound::provider_message::{Names, people_called, stored_name};
use crate::store::{Error, Senders};

/// The sender of an inbound message, as far as known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) account: Option<AccountId>,
    pub(super) phone: Option<Phone>,
    /// Other phones of the same person.
    pub(super) also: BTreeSet<Phone>,
    /// Known phones that the person may have, if nothing tells which.
    pub(super) alike: BTreeSet<Phone>,
}

/// Finds the sender of each of `all`, and returns the names of people learnt on the way. Erased people are left out.
///
/// The phone is the first of these: the digits themselves; a phone known under these digits; one known under this user
/// id; the recipient of the answered message. The others of these are the person's too. The account is the first of
/// these: the only one that sends by the number written to; that of the answered message; the one that last wrote to the
/// phone.
pub(super) async fn find<'a>(
    tx: &mut PgConnection,
    all: &'a [InboundMessage],
    senders: &Senders,
) -> Result<(Vec<Option<Who>>, Names<'a>), Error> {
    let names = |one: &'a InboundMessage| [&one.phone, &one.user].into_iter().flatten().map(|name| stored_name(name));
    let called = people_called(tx, &all.iter().flat_map(names).collect::<Vec<_>>(), false).await?;
    let answered = answered(tx, &all.iter().filter_map(|one| one.context.as_deref()).collect::<Vec<_>>()).await?;
    let mut learnt = Names::new();
    let mut found: Vec<Who> = Vec::with_capacity(all.len());
    for incoming in all {
        let answered = incoming.context.as_ref().and_then(|id| answered.get(id.as_str()));
        let spelled = incoming.phone.as_deref().and_then(Phone::reported);
        let aliases = names(incoming).filter_map(|name| called.get(name)).flatten();
        let mut phones = spelled.iter().chain(aliases).chain(answered.map(|(_, phone)| phone)).cloned();
        let phone = phones.next();
        let also = phones.filter(|other| Some(other) != phone.as_ref()).collect();
        if let Some((user, phone)) = incoming.user.as_deref().zip(phone.as_ref()) {
            learnt.insert((user, phone.as_str().to_owned()));
        }
        let sender = incoming.number.as_deref().and_then(|number| senders.only(number));
        found.push(Who {
            account: sender.or(answered.map(|(account, _)| *account)),
            phone,
            also,
            alike: BTreeSet::new(),
        });
    }
    doubt::add(tx, all, &mut found).await?;
    let strangers = found.iter().filter(|who| who.account.is_none());
    let phones: Vec<&str> = strangers.flat_map(Who::phones).map(Phone::as_str).collect();
    let writers = last_writers(tx, &phones).await?;
    for who in found.iter_mut().filter(|who| who.account.is_none()) {
        let writer = who.phones().find_map(|phone| writers.get(phone.as_str())).copied();
        who.account = writer;
    }
    let phones = found.iter().flat_map(Who::phones).map(Phone::as_str);
    let names: Vec<&str> = phones.chain(all.iter().filter_map(|one| one.user.as_deref())).collect();
    let gone = erased::among(tx, &names).await?;
    learnt.retain(|(_, phone)| !gone.contains(phone));
    let known = |(incoming, who): (&InboundMessage, Who)| {
        let is_gone = who.phones().map(Phone::as_str).chain(incoming.user.as_deref()).any(|name| gone.contains(name));
        if is_gone { None } else { Some(who) }
    };
    Ok((all.iter().zip(found).map(known).collect(), learnt))
}

impl Who {
    /// Returns all phones that are certainly the person's.
    pub(super) fn phones(&self) -> impl Iterator<Item = &Phone> {
        self.phone.iter().chain(&self.also)
    }
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
    Ok(rows.into_iter().map(|(id, account, phone)| (id, (AccountId(account), Phone::dialled_as(&phone)))).collect())
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
