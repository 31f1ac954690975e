//! People whom the provider calls otherwise from now on: they have another user id, or another number.
//!
//! A new name belongs to the phones of the old one, so that a STOP by it reaches them. A person with another number is
//! also put under review: the old number may belong to a stranger by now, and the new one gave no consent.
//!
//! Locks: as for inbound messages.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::provider_message::{Names, learn_people, people_called, stored_name};
use super::review;
use super::suppression::accounts_of;
use crate::core::domain::{AccountId, Phone, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::store::facts::erased;
use crate::store::lock::{lock_lanes, lock_suppressions};
use crate::store::{Error, Store};

/// A change of the names by which a provider knows a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// Stays the same when the provider repeats the report.
    pub id: String,
    /// Names until now: digits of phones, and user ids.
    pub known: Vec<String>,
    pub fresh: Vec<String>,
    /// True if the person has another number; false if they have another user id.
    pub is_number: bool,
    pub at: Timestamp,
}

impl Store {
    /// Records new names of people, and returns how many people are under review because of them. Repeated reports and
    /// erased people are ignored. One transaction.
    pub async fn rename_people(&self, all: &[Renamed], now: Timestamp) -> Result<usize, Error> {
        if all.is_empty() {
            return Ok(0);
        }
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to rename people"))?;
        lock_suppressions(&mut tx).await?;
        let names: Vec<&str> =
            all.iter().flat_map(|one| one.known.iter().chain(&one.fresh)).map(|name| stored_name(name)).collect();
        let called = people_called(&mut tx, &names, true).await?;
        let gone = erased::among(&mut tx, &names).await?;
        let new = note(&mut tx, all, now).await?;
        let (mut learnt, mut moved) = (Names::new(), Vec::new());
        // Names are learnt again when a report is repeated: a process may have died before it acted on them.
        for one in all {
            let names = || one.known.iter().chain(&one.fresh).map(|name| stored_name(name));
            if names().any(|name| gone.contains(name)) {
                continue;
            }
            let spelled = one.known.iter().filter_map(|name| Phone::reported(name));
            let aliased = one.known.iter().filter_map(|name| called.get(stored_name(name))).flatten().cloned();
            let phones: BTreeSet<Phone> = spelled.chain(aliased).collect();
            let fresh = one.fresh.iter().map(|name| stored_name(name));
            learnt.extend(fresh.flat_map(|name| phones.iter().map(move |phone| (name, phone.as_str().to_owned()))));
            let is_news = one.is_number && new.contains(&one.id);
            if let Some(number) = one.fresh.iter().find_map(|name| Phone::reported(name)).filter(|_| is_news) {
                let text = format!("WhatsApp reports that the person has another number now: {}", number.masked());
                moved.extend(phones.into_iter().filter(|phone| *phone != number).map(|phone| (phone, text.clone())));
            }
        }
        let held = hold(&mut tx, &moved, now).await?;
        let left: Vec<&str> =
            all.iter().filter(|one| one.is_number).flat_map(|one| &one.fresh).map(|name| stored_name(name)).collect();
        let phones = learn_people(&mut tx, learnt).await?;
        leave_behind(&mut tx, &left).await?;
        tx.commit().await.map_err(Error::during("commit new names of people"))?;
        self.suppress_known_handsets(&phones, now).await?;
        Ok(held)
    }
}

/// Marks the earlier phones of people under a new number. A STOP by the new number concerns them, a START does not:
/// somebody else may have them by now.
async fn leave_behind(tx: &mut PgConnection, numbers: &[&str]) -> Result<(), Error> {
    sqlx::query("update alias set is_left = true where id = any($1) and '+' || id <> phone")
        .bind(numbers)
        .execute(tx)
        .await
        .map(drop)
        .map_err(Error::during("save earlier numbers of people"))
}

/// Records the reports, and returns the ids of those that are new.
async fn note(tx: &mut PgConnection, all: &[Renamed], now: Timestamp) -> Result<BTreeSet<String>, Error> {
    let ids: Vec<String> = sqlx::query_scalar(
        "insert into inbound (message_id, at, received_at)
         select id, at, $3 from unnest($1::text[], $2::timestamptz[]) as u (id, at)
         order by id on conflict (message_id) do nothing returning message_id",
    )
    .bind(all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.at).collect::<Vec<_>>())
    .bind(now)
    .fetch_all(tx)
    .await
    .map_err(Error::during("note changed names"))?;
    Ok(ids.into_iter().collect())
}

/// Puts people whom some account knows, and who are not suppressed, under review in all accounts.
async fn hold(tx: &mut PgConnection, moved: &[(Phone, String)], now: Timestamp) -> Result<usize, Error> {
    if moved.is_empty() {
        return Ok(0);
    }
    let known: BTreeSet<String> = sqlx::query_scalar::<_, String>(
        "select distinct phone from referral r
         where phone = any($1) and not exists (select from suppression s where s.phone = r.phone)",
    )
    .bind(moved.iter().map(|(phone, _)| phone.as_str()).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("look for people who changed their number"))?
    .into_iter()
    .collect();
    let moved: Vec<_> = moved.iter().filter(|(phone, _)| known.contains(phone.as_str())).collect();
    let reviews: Vec<_> = moved.iter().map(|(phone, text)| (AccountId(0), phone.as_str(), text.as_str())).collect();
    let held = review::begin_for(tx, &reviews, |phone| Detail::NumberChanged { phone }, now).await?;
    let (accounts, _) = accounts_of(tx, &reviews.iter().map(|(_, phone, _)| *phone).collect::<Vec<_>>(), &[]).await?;
    lock_lanes(tx, &accounts).await?;
    Ok(held.len())
}
