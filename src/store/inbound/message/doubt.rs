//! Possible senders of STOPs and unclear replies whose sender is not certain.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::incoming::InboundMessage;
use super::sender::Who;
use crate::core::consent;
use crate::core::consent::Reply;
use crate::core::domain::Phone;
use crate::store::Error;

/// The maximum number of people whom one message of an unknown user id holds. Among more, a reviewer cannot find the
/// sender, and a stranger could hold a whole account.
const MOST: usize = 50;

/// Adds the possible senders of STOPs and unclear replies, unless the names known for a person identify the sender.
pub(super) async fn add(tx: &mut PgConnection, all: &[InboundMessage], found: &mut [Who]) -> Result<(), Error> {
    let stops = |incoming: &InboundMessage| matches!(consent::read(&incoming.text), Reply::Stop | Reply::Unclear);
    let doubtful: Vec<usize> =
        (0..all.len()).filter(|place| found[*place].also.is_empty() && stops(&all[*place])).collect();
    if doubtful.is_empty() {
        return Ok(());
    }
    by_digits(tx, all, found, &doubtful).await?;
    by_account(tx, all, found, &doubtful).await
}

/// Adds known phones that the reported digits may stand for, unless a known person has exactly these digits.
async fn by_digits(
    tx: &mut PgConnection,
    all: &[InboundMessage],
    found: &mut [Who],
    doubtful: &[usize],
) -> Result<(), Error> {
    let alike = |place: &usize| (*place, all[*place].phone.as_deref().map(Phone::alike).unwrap_or_default());
    let alike: Vec<(usize, BTreeSet<Phone>)> = doubtful.iter().map(alike).collect();
    if alike.iter().all(|(_, phones)| phones.is_empty()) {
        return Ok(());
    }
    let asked = alike.iter().flat_map(|(place, phones)| phones.iter().chain(&found[*place].phone));
    let known: Vec<String> = sqlx::query_scalar("select distinct phone from referral where phone = any($1)")
        .bind(asked.map(Phone::as_str).collect::<Vec<_>>())
        .fetch_all(tx)
        .await
        .map_err(Error::during("look for people whom a number may mean"))?;
    let known: BTreeSet<Phone> = known.into_iter().map(Phone::trusted).collect();
    for (place, phones) in alike {
        let who = &mut found[place];
        if who.phone.as_ref().is_none_or(|phone| !known.contains(phone)) {
            who.alike = phones.intersection(&known).cloned().collect();
        }
    }
    Ok(())
}

/// Adds, for an unknown user id, the people of its country to whom the account wrote and whose user ids are unknown. An
/// answer to a message is left out, because that message may still become known.
async fn by_account(
    tx: &mut PgConnection,
    all: &[InboundMessage],
    found: &mut [Who],
    doubtful: &[usize],
) -> Result<(), Error> {
    let asked = doubtful.iter().filter_map(|place| {
        let (incoming, who) = (&all[*place], &found[*place]);
        let user = incoming.user.as_deref().filter(|_| incoming.phone.is_none() && incoming.context.is_none())?;
        let account = who.account.filter(|_| who.phone.is_none())?;
        let country = user.split_once('.').map(|(country, _)| country).filter(|country| country.len() == 2);
        Some((*place, account.0, country))
    });
    let asked: Vec<(usize, i32, Option<&str>)> = asked.collect();
    if asked.is_empty() {
        return Ok(());
    }
    let rows: Vec<(i64, String)> = sqlx::query_as(include_str!("unnamed.sql"))
        .bind(asked.iter().map(|(place, ..)| i64::try_from(*place).unwrap_or(i64::MAX)).collect::<Vec<_>>())
        .bind(asked.iter().map(|(_, account, _)| *account).collect::<Vec<_>>())
        .bind(asked.iter().map(|(.., country)| *country).collect::<Vec<_>>())
        .bind(i64::try_from(MOST).unwrap_or(i64::MAX) + 1)
        .fetch_all(tx)
        .await
        .map_err(Error::during("look for people whom a user id may mean"))?;
    let mut by_place: BTreeMap<i64, Vec<Phone>> = BTreeMap::new();
    for (place, phone) in rows {
        by_place.entry(place).or_default().push(Phone::trusted(phone));
    }
    for (place, phones) in by_place.into_iter().filter(|(_, phones)| phones.len() <= MOST) {
        let Ok(place) = usize::try_from(place) else { continue };
        found[place].alike = phones.into_iter().collect();
    }
    Ok(())
}
