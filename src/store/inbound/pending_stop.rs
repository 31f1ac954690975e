//! Pending STOPs: a STOP is in force before the locks of its other effects are free.
//!
//! Its other effects are targets that leave, reviews, counts and the confirmation. They need the suppression lock and
//! lanes, which an enrollment, an import or an edit may hold for minutes. A short transaction therefore records the
//! phones first. The gate and enrollment treat these phones as suppressed.
//!
//! No message leaves that a claim commits after this transaction:
//! - The transaction holds the lock of pending STOPs from before its insert until its commit.
//! - A claim shares that lock from before its last look at these rows until its commit, which follows at once. A claim
//!   that gets the lock first commits first. A claim that gets it later sees the rows, and starts again.
//! - The rows go in the transaction of the other effects. It adds the suppressions and holds the lanes, and a claim reads
//!   suppressions only after it has its lane.
//!
//! No transactions wait in a circle: the short one holds no other lock, and its insert has nothing unique to wait for.
//! Commands show suppressions, so a second short transaction shows the phones there. It gives up if another transaction
//! holds one of the rows, since the first one already stops all messages.
//!
//! Words keep their order: a START removes only the STOPs that are older, and one that comes too late finds a newer STOP
//! here. A STOP whose webhook is given up stays in force until a newer START, or until an operator lifts it.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::suppression::By;
use crate::core::domain::{Phone, Timestamp};
use crate::store::columns::{Batch, columns};
use crate::store::lock::{lock_pending_stops, share_pending_stops};
use crate::store::{Error, Store};

/// Stands for the message of phones that no message stops.
const LISTED: &str = "listed";
/// Claims wait for the transaction, so that longer lists wait for the suppression lock instead.
const AT_ONCE: usize = 1_000;

columns! {
    /// A phone that a STOP concerns.
    pub(super) struct StopRow<'a> {
        message_id: &'a str,
        phone: &'a str,
        at: Option<Timestamp>,
        said: Option<&'a str>,
    }
}

/// A message that was processed before, or that a newer START answers, stops nothing.
const RECORD: Batch<StopRow<'_>> = Batch::of(
    "with u as materialized (
       select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) as u (message_id, phone, at, said)),
     news as (
       insert into pending_stop (message_id, phone, at)
       select u.message_id, u.phone, u.at from u
       where not exists (select from inbound i where i.message_id = u.message_id)
         and not exists (select from inbound i where i.phone = u.phone and i.word = 'start' and i.at > u.at)
         and not exists (select from pending_stop p where (p.message_id, p.phone) = (u.message_id, u.phone))
       returning message_id, phone)
     select u.phone, min(u.said) from u join news on (news.message_id, news.phone) = (u.message_id, u.phone)
     group by u.phone order by u.phone",
);

impl Store {
    /// Puts STOPs in force that nobody acted on yet.
    pub(super) async fn stop_first(&self, rows: &[StopRow<'_>], by: By<'_>, now: Timestamp) -> Result<(), Error> {
        const OPERATION: &str = "put a STOP in force";
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        lock_pending_stops(&mut tx).await?;
        let stopped: Vec<(String, Option<String>)> =
            RECORD.query_as(rows.iter().cloned()).fetch_all(&mut *tx).await.map_err(Error::during(OPERATION))?;
        tx.commit().await.map_err(Error::during(OPERATION))?;
        if stopped.is_empty() {
            return Ok(());
        }
        match self.show(&stopped, by, now).await {
            // Another transaction suppresses one of them at this moment.
            Err(Error::StatementTimeout { .. } | Error::Serialization { .. }) => Ok(()),
            shown => shown,
        }
    }

    /// Puts the suppression of these phones in force, except for long lists.
    pub(super) async fn stop_listed_first(
        &self,
        phones: &BTreeSet<Phone>,
        by: By<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        if phones.len() > AT_ONCE {
            return Ok(());
        }
        let row = |phone| StopRow { message_id: LISTED, phone: Phone::as_str(phone), at: None, said: None };
        self.stop_first(&phones.iter().map(row).collect::<Vec<_>>(), by, now).await
    }

    /// Adds suppressions whose other effects are still to come.
    async fn show(&self, stopped: &[(String, Option<String>)], by: By<'_>, now: Timestamp) -> Result<(), Error> {
        const OPERATION: &str = "show the suppression of a STOP";
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        sqlx::query("set local lock_timeout = '250ms'").execute(&mut *tx).await.map_err(Error::during(OPERATION))?;
        sqlx::query(
            "insert into suppression (phone, source, actor, reason, said, suppressed_at, is_pending)
             select phone, $3, $4, $5, said, $6, true from unnest($1::text[], $2::text[]) as u (phone, said)
             order by phone on conflict (phone) do nothing",
        )
        .bind(stopped.iter().map(|(phone, _)| phone.as_str()).collect::<Vec<_>>())
        .bind(stopped.iter().map(|(_, said)| said.as_deref()).collect::<Vec<_>>())
        .bind(by.source)
        .bind(by.actor)
        .bind(by.reason)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        tx.commit().await.map_err(Error::during(OPERATION))
    }
}

/// Makes sure that no STOP of `phones` commits before this transaction, which must commit at once. Returns false if one
/// is pending.
pub(in crate::store) async fn is_none_of(tx: &mut PgConnection, phones: &[&str]) -> Result<bool, Error> {
    share_pending_stops(tx).await?;
    sqlx::query_scalar("select not exists (select from pending_stop where phone = any($1))")
        .bind(phones)
        .fetch_one(tx)
        .await
        .map_err(Error::during("look for pending STOPs"))
}

/// Removes the STOPs of these messages: the other effects are in the same transaction.
pub(super) async fn settle(tx: &mut PgConnection, messages: &[&str]) -> Result<(), Error> {
    let settled = sqlx::query("delete from pending_stop where message_id = any($1)").bind(messages).execute(tx).await;
    settled.map(drop).map_err(Error::during("settle pending STOPs"))
}

/// Removes the phones of a list: the other effects are in the same transaction.
pub(super) async fn settle_listed(tx: &mut PgConnection, phones: &[&str]) -> Result<(), Error> {
    let settled = sqlx::query("delete from pending_stop where phone = any($1) and message_id = $2");
    let settled = settled.bind(phones).bind(LISTED).execute(tx).await;
    settled.map(drop).map_err(Error::during("settle pending STOPs"))
}

/// Removes the STOPs of each phone that are older than its START.
pub(super) async fn lift_older(tx: &mut PgConnection, starts: &[(String, Timestamp)]) -> Result<(), Error> {
    if starts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "delete from pending_stop p using unnest($1::text[], $2::timestamptz[]) as u (phone, at)
         where p.phone = u.phone and p.at < u.at",
    )
    .bind(starts.iter().map(|(phone, _)| phone.as_str()).collect::<Vec<_>>())
    .bind(starts.iter().map(|(_, at)| *at).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::during("lift pending STOPs"))
}

/// Removes the STOPs of `phones`, whatever their message.
pub(in crate::store) async fn lift(tx: &mut PgConnection, phones: &[&str]) -> Result<(), Error> {
    let lifted = sqlx::query("delete from pending_stop where phone = any($1)").bind(phones).execute(tx).await;
    lifted.map(drop).map_err(Error::during("lift pending STOPs"))
}
