//! Erasure of people: deletes all identifying data, and keeps imports from adding the person again.
//!
//! The person's account, runs and message counts stay, so that counters and caps stay true. A keyed hash of the phone
//! also stays, by which imports recognize people to leave out.
//!
//! Locks follow the order of [`lock`](crate::store::lock): no import merges and no reply is processed meanwhile, and
//! rows of each table are locked in key order.

use sqlx::PgConnection;

use crate::core::domain::{Phone, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::target::Exit;
use crate::store::event::{Event, tell};
use crate::store::inbound::suppression::{accounts_of, let_go};
use crate::store::inbound::{confirmation, pending_stop, review as hold};
use crate::store::lock::{lock_imports, lock_lanes, lock_suppressions};
use crate::store::{Error, Store};

/// The numbers of erased rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    pub referrals: u64,
    pub messages: u64,
    /// Targets that left because of the erasure.
    pub exited: u64,
}

impl Store {
    /// Erases the person with `phone` in every account, and makes imports leave them out, even if no account has the
    /// phone now. Uses one transaction, and further ones for webhooks, the sandbox and free text; after a crash in between,
    /// the caller repeats the erasure.
    pub async fn forget(&self, phone: &Phone, reason: &str, now: Timestamp) -> Result<Erased, Error> {
        let phones = [phone.as_str()];
        let mut tx = self.pool.begin().await.map_err(Error::during("begin an erasure"))?;
        lock_imports(&mut tx).await?;
        lock_suppressions(&mut tx).await?;
        let called = called(&mut tx, phone).await?;
        erase_heard(&mut tx, phone).await?;
        sqlx::query("delete from suppression where phone = $1")
            .bind(phone.as_str())
            .execute(&mut *tx)
            .await
            .map_err(Error::during("delete a suppression"))?;
        pending_stop::lift(&mut tx, &phones).await?;
        hold::end(&mut tx, &phones, None).await?;
        confirmation::withdraw(&mut tx, &phones).await?;
        let (accounts, _) = accounts_of(&mut tx, &phones, &[]).await?;
        lock_lanes(&mut tx, &accounts).await?;
        let exited = let_go(&mut tx, &accounts, (&phones, Exit::Removed), now).await?;
        let messages = erase_messages(&mut tx, phone).await?;
        let mut names = erase_names(&mut tx, phone).await?;
        names.extend(phone.spellings());
        self.remember_hashes(&mut tx, &names, reason, now).await?;
        let referrals = erase_referrals(&mut tx, phone, now).await?;
        let detail = Detail::ContactErased { rows: referrals, messages, reason: reason.to_owned() };
        let event = Event::new(EventKind::ContactErased, self.actor(), detail);
        tell(&mut tx, &[Event { reason: Some(reason.to_owned()), ..event }], now).await?;
        tx.commit().await.map_err(Error::during("commit an erasure"))?;
        self.erase_webhooks(&names).await?;
        self.erase_sandbox(phone).await?;
        self.erase_free_text(phone, &called).await?;
        Ok(Erased { referrals, messages, exited })
    }
}

/// Returns the names and e-mail addresses of the person.
async fn called(tx: &mut PgConnection, phone: &Phone) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "select distinct u.word from referral r cross join lateral (values (r.name), (r.email)) as u (word)
         where r.phone = $1 and r.erased_at is null and u.word is not null",
    )
    .bind(phone.as_str())
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the names of a person"))
}

impl Store {
    /// Erases what the sandbox was handed for the person, now or by a row that an erasure emptied.
    async fn erase_sandbox(&self, phone: &Phone) -> Result<(), Error> {
        sqlx::query(
            "update sandbox_message set phone = '', text = ''
             where phone <> '' and (phone = $1 or (account_id, referral_id) in (
                     select account_id, id from referral where erased_at is not null))",
        )
        .bind(phone.as_str())
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(Error::during("erase the sandbox messages of a person"))
    }
}

/// Erases the person's inbound messages and their times.
async fn erase_heard(tx: &mut PgConnection, phone: &Phone) -> Result<(), Error> {
    for sql in [
        "with heard as materialized (select message_id from inbound where phone = $1 order by message_id for update)
         update inbound i set phone = null from heard where i.message_id = heard.message_id",
        "with talked as materialized (
           select account_id, phone from conversation where phone = $1 order by account_id for update)
         delete from conversation c using talked where (c.account_id, c.phone) = (talked.account_id, talked.phone)",
    ] {
        let erased = sqlx::query(sql).bind(phone.as_str()).execute(&mut *tx).await;
        erased.map_err(Error::during("erase the inbound messages of a person"))?;
    }
    Ok(())
}

/// Erases the person's provider names, which it returns, and the provider ids of their messages.
async fn erase_names(tx: &mut PgConnection, phone: &Phone) -> Result<Vec<String>, Error> {
    const OPERATION: &str = "erase the names of a person";
    sqlx::query(
        "with called as materialized (
            select p.provider_id from provider_message p
            join referral r on r.account_id = p.account_id and r.id = p.referral_id
            where r.phone = $1 order by p.provider_id for update of p)
          delete from provider_message p using called where p.provider_id = called.provider_id",
    )
    .bind(phone.as_str())
    .execute(&mut *tx)
    .await
    .map_err(Error::during(OPERATION))?;
    sqlx::query_scalar(
        "with named as materialized (select id from alias where phone = $1 order by id for update)
         delete from alias a using named where (a.id, a.phone) = (named.id, $1) returning a.id",
    )
    .bind(phone.as_str())
    .fetch_all(tx)
    .await
    .map_err(Error::during(OPERATION))
}

/// Erases texts, phones, and the provider's ids and error texts, which may contain phones.
async fn erase_messages(tx: &mut PgConnection, phone: &Phone) -> Result<u64, Error> {
    const OPERATION: &str = "erase the messages of a person";
    sqlx::query(
        "select from message m join referral r on r.account_id = m.account_id and r.id = m.referral_id
         where r.phone = $1 order by m.account_id, m.campaign_id, m.referral_id, m.day for update of m",
    )
    .bind(phone.as_str())
    .execute(&mut *tx)
    .await
    .map_err(Error::during(OPERATION))?;
    let erased = sqlx::query(
        "update message m set phone = '', text = '', template = null, provider_id = null, error = null
         from referral r where r.phone = $1 and r.account_id = m.account_id and r.id = m.referral_id",
    )
    .bind(phone.as_str())
    .execute(tx)
    .await
    .map_err(Error::during(OPERATION))?;
    Ok(erased.rows_affected())
}

/// Erases everything but account and times; no erased row is the current one of a person any more.
async fn erase_referrals(tx: &mut PgConnection, phone: &Phone, now: Timestamp) -> Result<u64, Error> {
    let erased = sqlx::query(
        "update referral
         set name = '(erased)', phone = 'erased:' || id, dialled = null, email = null, language = null, gender = null,
             profession = null, profession_key = null, birth_date = null, consent = null, consent_source = null,
             consent_at = null, timezone = null, attributes = '{}', is_current = false, erased_at = $2
         where phone = $1",
    )
    .bind(phone.as_str())
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("erase the rows of a person"))?;
    Ok(erased.rows_affected())
}
