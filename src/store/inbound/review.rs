//! Reviews of replies: a reply that may be an opt-out pauses the person until somebody has read it.
//!
//! The account that received it sends them nothing until then; if the account is unknown, no account does (number 0).
//! Forecasts and copies of a database assume a quick review. Transactions that change reviews take the suppression lock
//! and hold the lanes of the accounts.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::core::domain::{AccountId, Phone, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::store::event::{Event, tell};
use crate::store::lock::{lock_lanes, lock_suppressions};
use crate::store::schedule::wake::wake;
use crate::store::{Error, Store};

impl Store {
    /// Ends the reviews of `phones`, in one account or in all, after a person has read the replies. Returns the phones
    /// that had a review. One transaction.
    pub async fn release(
        &self,
        phones: &BTreeSet<Phone>,
        account: Option<AccountId>,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<BTreeSet<Phone>, Error> {
        let phones: Vec<&str> = phones.iter().map(Phone::as_str).collect();
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to release people"))?;
        lock_suppressions(&mut tx).await?;
        let ended = end(&mut tx, &phones, account).await?;
        let accounts: Vec<AccountId> = ended.iter().map(|(account, _)| *account).collect();
        lock_lanes(&mut tx, &accounts).await?;
        wake(&mut tx, &accounts.iter().map(|account| account.0).collect::<Vec<_>>(), now).await?;
        let event = |(account, phone): &(AccountId, Phone)| {
            let reason = reason.map(str::to_owned);
            let detail = Detail::ReplyReleased { phone: phone.masked(), reason: reason.clone() };
            Event { account: Some(*account), reason, ..Event::new(EventKind::HoldReleased, self.actor(), detail) }
        };
        tell(&mut tx, &ended.iter().map(event).collect::<Vec<_>>(), now).await?;
        tx.commit().await.map_err(Error::during("commit released people"))?;
        Ok(ended.into_iter().map(|(_, phone)| phone).collect())
    }
}

/// Starts reviews of phones, each in the account that received the text, and returns the new ones. The first recorded
/// text stays.
pub(super) async fn begin(
    tx: &mut PgConnection,
    replies: &[(AccountId, &str, &str)],
    now: Timestamp,
) -> Result<Vec<(AccountId, Phone)>, Error> {
    begin_for(tx, replies, |phone| Detail::ReplyHeld { phone }, now).await
}

/// Starts reviews as [`begin`]. `why` makes the entry of the log from a masked phone.
pub(super) async fn begin_for(
    tx: &mut PgConnection,
    replies: &[(AccountId, &str, &str)],
    why: fn(String) -> Detail,
    now: Timestamp,
) -> Result<Vec<(AccountId, Phone)>, Error> {
    let rows: Vec<(i32, String)> = sqlx::query_as(
        "insert into person_hold (account_id, phone, text, held_at)
         select account_id, phone, text, $4 from unnest($1::int[], $2::text[], $3::text[]) as u (account_id, phone, text)
         order by account_id, phone
         on conflict (account_id, phone) do nothing returning account_id, phone",
    )
    .bind(replies.iter().map(|(account, ..)| account.0).collect::<Vec<_>>())
    .bind(replies.iter().map(|(_, phone, _)| *phone).collect::<Vec<_>>())
    .bind(replies.iter().map(|(.., text)| *text).collect::<Vec<_>>())
    .bind(now)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("hold people"))?;
    let held: Vec<(AccountId, Phone)> = keyed(rows);
    let event = |(account, phone): &(AccountId, Phone)| {
        let detail = why(phone.masked());
        Event { account: Some(*account), ..Event::new(EventKind::NearOptOut, None, detail) }
    };
    tell(tx, &held.iter().map(event).collect::<Vec<_>>(), now).await?;
    Ok(held)
}

/// Ends reviews, in one account or in all, in the order of the accounts.
pub(in crate::store) async fn end(
    tx: &mut PgConnection,
    phones: &[&str],
    account: Option<AccountId>,
) -> Result<Vec<(AccountId, Phone)>, Error> {
    let rows: Vec<(i32, String)> = sqlx::query_as(
        "delete from person_hold where phone = any($1) and ($2::int is null or account_id = $2)
         returning account_id, phone",
    )
    .bind(phones)
    .bind(account.map(|account| account.0))
    .fetch_all(tx)
    .await
    .map_err(Error::during("end holds"))?;
    let mut ended = keyed(rows);
    ended.sort_unstable();
    Ok(ended)
}

fn keyed(rows: Vec<(i32, String)>) -> Vec<(AccountId, Phone)> {
    rows.into_iter().map(|(account, phone)| (AccountId(account), Phone::trusted(phone))).collect()
}
