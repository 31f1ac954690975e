//! Handsets with several phones: a provider's name for a person may belong to more than one phone that we know.
//!
//! The normal form of a phone covers the known numbering plans. The names that a provider reports cover the rest. A
//! STOP concerns every phone of the handset, in whatever order the names become known. This module alone says which
//! phones are one handset: replies, suppressions and imports ask it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::reply::ReadReply;
use super::suppression::Listed;
use crate::core::consent::Reply;
use crate::core::domain::{Phone, Timestamp};
use crate::store::{Error, Inbound, Store};

/// The other phones of the handset of each phone, as far as any is known.
pub(in crate::store) type Others = BTreeMap<String, BTreeSet<String>>;

/// The maximum number of phones of a handset. A name of more phones is ignored: a faulty proxy may send one for all.
pub(super) const MOST: usize = 4;
/// The maximum number of phones of one look-up.
const AT_ONCE: usize = 5_000;

/// Returns the other phones of the handsets of `phones`: those with the same name at the provider, and those that the
/// names themselves spell. One statement.
pub(in crate::store) async fn others(db: &mut PgConnection, phones: &[&str]) -> Result<Others, Error> {
    others_of(db, phones, true).await
}

/// As [`others`], a few thousand phones at a time.
pub(in crate::store) async fn others_of_many(db: &mut PgConnection, phones: &[String]) -> Result<Others, Error> {
    let mut all = Others::new();
    for some in phones.chunks(AT_ONCE) {
        all.extend(others(db, &some.iter().map(String::as_str).collect::<Vec<_>>()).await?);
    }
    Ok(all)
}

/// As [`others`]; `with_left` counts phones that a person has left for another number, in both directions.
pub(super) async fn others_of(db: &mut PgConnection, phones: &[&str], with_left: bool) -> Result<Others, Error> {
    if phones.is_empty() {
        return Ok(Others::new());
    }
    // A name may be the number itself, in its present form or in that of an older plan.
    let spelled = |phone: &&str| {
        let phone = (*phone).to_owned();
        Phone::trusted(phone.clone()).spellings().into_iter().map(move |name| (phone.clone(), name))
    };
    let (spelled, names): (Vec<String>, Vec<String>) = phones.iter().flat_map(spelled).unzip();
    let rows: Vec<(String, String, bool, Option<String>, bool)> = sqlx::query_as(include_str!("handset_others.sql"))
        .bind(phones)
        .bind(i64::try_from(MOST).unwrap_or(i64::MAX) + 1)
        .bind(spelled)
        .bind(names)
        .fetch_all(db)
        .await
        .map_err(Error::during("look for other phones of a handset"))?;
    let mut by_name: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (phone, name, is_left, other, other_is_left) in rows {
        if with_left || !is_left {
            by_name.entry((phone, name)).or_default().extend(other.filter(|_| with_left || !other_is_left));
        }
    }
    let mut all = Others::new();
    for ((phone, name), mut others) in by_name.into_iter().filter(|(_, others)| others.len() <= MOST) {
        others.extend(Phone::reported(&name).map(|phone| phone.as_str().to_owned()));
        others.remove(&phone);
        if !others.is_empty() {
            all.entry(phone).or_default().extend(others);
        }
    }
    Ok(all)
}

/// Adds the other phones of their handsets to `phones`.
pub(in crate::store) async fn whole(db: &mut PgConnection, phones: &BTreeSet<Phone>) -> Result<BTreeSet<Phone>, Error> {
    let others = others(db, &phones.iter().map(Phone::as_str).collect::<Vec<_>>()).await?;
    Ok(phones.iter().cloned().chain(others.into_values().flatten().map(Phone::trusted)).collect())
}

/// Repeats each reply for the other phones of its handset. A START does not reach numbers that the person has left, nor
/// the one they left it for: another person may have the number by now.
pub(super) async fn spread(db: &mut PgConnection, replies: &[ReadReply]) -> Result<Vec<ReadReply>, Error> {
    let of = |is_start: bool| {
        let chosen = replies.iter().filter(move |reply| (reply.word == Reply::Start) == is_start);
        chosen.map(|reply| reply.inbound.phone.as_str()).collect::<Vec<_>>()
    };
    let (of_others, of_starts) = (others(db, &of(false)).await?, others_of(db, &of(true), false).await?);
    let repeated = |reply: &ReadReply| {
        let others = if reply.word == Reply::Start { &of_starts } else { &of_others };
        let others = others.get(reply.inbound.phone.as_str()).into_iter().flatten();
        let by = |phone: &String| Inbound { phone: Phone::trusted(phone.clone()), ..reply.inbound.clone() };
        let others: Vec<_> = others.map(|phone| ReadReply { inbound: by(phone), word: reply.word }).collect();
        [reply.clone()].into_iter().chain(others)
    };
    Ok(replies.iter().flat_map(repeated).collect())
}

impl Store {
    /// Suppresses every phone of the handsets of `phones` if one phone of the handset is suppressed. The caller has
    /// just recorded names for `phones`, and an earlier STOP may concern them.
    pub(super) async fn suppress_known_handsets(&self, phones: &BTreeSet<String>, now: Timestamp) -> Result<(), Error> {
        if phones.is_empty() {
            return Ok(());
        }
        let mut db = self.pool.acquire().await.map_err(Error::during("look for suppressed handsets"))?;
        let others = others(&mut db, &phones.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let handsets: Vec<BTreeSet<String>> =
            others.into_iter().map(|(phone, others)| [phone].into_iter().chain(others).collect()).collect();
        if handsets.is_empty() {
            return Ok(());
        }
        let known: BTreeMap<String, bool> = sqlx::query_as::<_, (String, bool)>(
            "select phone, source = 'reply' from suppression where phone = any($1)",
        )
        .bind(handsets.iter().flatten().collect::<Vec<_>>())
        .fetch_all(&mut *db)
        .await
        .map_err(Error::during("look for suppressed handsets"))?
        .into_iter()
        .collect();
        drop(db);
        let (mut by_reply, mut otherwise) = (BTreeSet::new(), BTreeSet::new());
        for handset in handsets {
            let sources: Vec<bool> = handset.iter().filter_map(|phone| known.get(phone).copied()).collect();
            if sources.is_empty() {
                continue;
            }
            // A START lifts only suppressions by a reply, so a handset with another source is listed apart.
            let list = if sources.iter().all(|is_reply| *is_reply) { &mut by_reply } else { &mut otherwise };
            list.extend(handset.into_iter().filter(|phone| !known.contains_key(phone)).map(Phone::trusted));
        }
        for (phones, listed) in [(by_reply, Listed::ByReply), (otherwise, Listed::ByHandset)] {
            if !phones.is_empty() {
                self.suppress(&phones, listed, Some("another number of the same handset is suppressed"), now).await?;
            }
        }
        Ok(())
    }
}
