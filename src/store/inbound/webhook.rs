//! Webhook requests from providers, kept from their arrival until they are no longer needed.

use chrono::TimeDelta;

use crate::core::domain::Timestamp;
use crate::store::schedule::next_due::{GIVEN_UP_KEPT, KEPT};
use crate::store::{Error, Store};

/// The batch limit of a claim in requests, and the size in bytes after which it takes no further one.
const AT_ONCE: i64 = 256;
const BYTES_AT_ONCE: i64 = 4 * 1024 * 1024;
/// A request is kept unprocessed after this many attempts.
const ATTEMPTS: i32 = 10;
/// The first delay after a failed attempt; each later one is twice as long.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// Providers repeat reports for a week; the ids of processed messages are kept a little longer.
const REMEMBERED: TimeDelta = TimeDelta::days(30);
/// The batch limit of a purge, in rows of one table.
const PURGED_AT_ONCE: i64 = 5_000;

/// One webhook request.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Webhook {
    pub id: i64,
    pub channel: String,
    pub received_at: Timestamp,
    pub body: Vec<u8>,
    /// Includes the current attempt.
    pub attempts: i32,
}

/// The result of processing a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    pub id: i64,
    /// The parts that could not be read.
    pub problem: Option<String>,
    /// True if it names an erased person: its body is deleted.
    pub erase: bool,
}

impl Store {
    /// Stores a request to `channel`.
    pub async fn keep_webhook(&self, channel: &str, body: &[u8], now: Timestamp) -> Result<(), Error> {
        sqlx::query("insert into webhook (channel, received_at, body, due_at) values ($1, $2, $3, $2)")
            .bind(channel)
            .bind(now)
            .bind(body)
            .execute(&self.pool)
            .await
            .map_err(Error::during("store a webhook"))?;
        Ok(())
    }

    /// Claims waiting requests, the oldest first. The caller settles them before `until`; afterwards others may claim
    /// them.
    pub async fn claim_webhooks(&self, now: Timestamp, until: Timestamp) -> Result<Vec<Webhook>, Error> {
        let mut claimed: Vec<Webhook> = sqlx::query_as(
            "with due as (
               select id, due_at, octet_length(body) as bytes from webhook where due_at <= $1
               order by due_at, id limit $3 for update skip locked),
             taken as (
               select id from (select id, sum(bytes) over (order by due_at, id) - bytes as before from due) d
               where before < $4)
             update webhook w set attempts = w.attempts + 1, due_at = $2, is_claimed = true from taken where w.id = taken.id
             returning w.id, w.channel, w.received_at, w.body, w.attempts",
        )
        .bind(now)
        .bind(until)
        .bind(AT_ONCE)
        .bind(BYTES_AT_ONCE)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("claim webhooks"))?;
        claimed.sort_by_key(|webhook| webhook.id);
        Ok(claimed)
    }

    /// Returns waiting requests that no process has, the oldest first, except those with an id in `except`. It claims none.
    pub async fn waiting_webhooks(&self, except: &[i64], now: Timestamp) -> Result<Vec<Webhook>, Error> {
        sqlx::query_as(
            "with due as (
               select id, due_at, octet_length(body) as bytes from webhook where due_at <= $1 and id <> all($2)
               order by due_at, id limit $3),
             taken as (
               select id from (select id, sum(bytes) over (order by due_at, id) - bytes as before from due) d
               where before < $4)
             select w.id, w.channel, w.received_at, w.body, w.attempts from taken join webhook w on w.id = taken.id
             order by w.id",
        )
        .bind(now)
        .bind(except)
        .bind(AT_ONCE)
        .bind(BYTES_AT_ONCE)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read waiting webhooks"))
    }

    /// Makes the requests that other processes claimed wait again, since such a process may have died. If it lives, the
    /// requests are processed twice, which changes nothing.
    pub async fn free_webhooks(&self, now: Timestamp) -> Result<u64, Error> {
        let freed = sqlx::query(
            "with claimed as materialized (
               select id from webhook where due_at > $1 and is_claimed order by id for update skip locked)
             update webhook w set due_at = $1, is_claimed = false from claimed where w.id = claimed.id",
        )
        .bind(now)
        .execute(&self.pool)
        .await
        .map_err(Error::during("free the webhooks of other processes"))?;
        Ok(freed.rows_affected())
    }

    /// Marks requests as processed.
    pub async fn settle_webhooks(&self, settled: &[Processed], now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "with u as materialized (
               select w.id, u.error, w.erase or u.erase as erase
               from unnest($1::bigint[], $2::text[], $4::boolean[]) as u (id, error, erase) join webhook w on w.id = u.id
               order by w.id for update of w)
             update webhook w
             set processed_at = $3, due_at = null, is_claimed = false, error = u.error, body = case when u.erase then '' else w.body end
             from u where w.id = u.id",
        )
        .bind(settled.iter().map(|one| one.id).collect::<Vec<_>>())
        .bind(settled.iter().map(|one| one.problem.as_deref()).collect::<Vec<_>>())
        .bind(now)
        .bind(settled.iter().map(|one| one.erase).collect::<Vec<_>>())
        .execute(&self.pool)
        .await
        .map_err(Error::during("mark webhooks as processed"))?;
        Ok(())
    }

    /// Schedules a retry of a failed request, with growing delays. After the last attempt the request is kept with its
    /// `error` for a month, without its body if that must be erased. Returns the time of the retry.
    pub async fn put_webhook_off(
        &self,
        webhook: &Webhook,
        (error, erase): (&str, bool),
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let doublings = u32::try_from(webhook.attempts.clamp(1, ATTEMPTS) - 1).unwrap_or_default();
        let again = (webhook.attempts < ATTEMPTS).then(|| now + FIRST_PAUSE * 2_i32.pow(doublings));
        sqlx::query(
            "update webhook
             set due_at = $2, is_claimed = false, error = $3,
                 body = case when $2::timestamptz is null and (erase or $4) then '' else body end
             where id = $1 and processed_at is null",
        )
        .bind(webhook.id)
        .bind(again)
        .bind(error)
        .bind(erase)
        .execute(&self.pool)
        .await
        .map_err(Error::during("postpone a webhook"))?;
        Ok(again)
    }

    /// Erases the requests that name a person by one of `names`; waiting ones are erased after their processing. Runs
    /// in its own transaction, because the processing of requests holds locks that others wait for.
    pub(in crate::store) async fn erase_webhooks(&self, names: &[String]) -> Result<(), Error> {
        sqlx::query(
            "with naming as materialized (
               select w.id from webhook w
               where exists (select from unnest($1::text[]) as n (name) where position(convert_to(name, 'UTF8') in w.body) > 0)
               order by w.id for update)
             update webhook w set erase = true, body = case when w.due_at is null then '' else w.body end
             from naming where w.id = naming.id",
        )
        .bind(names)
        .execute(&self.pool)
        .await
        .map_err(Error::during("erase the webhooks of a person"))?;
        Ok(())
    }

    /// Removes requests processed a week ago, those given up that arrived a month ago, and the ids of messages that
    /// providers no longer repeat. Returns the number of rows.
    pub async fn purge_webhooks(&self, now: Timestamp) -> Result<u64, Error> {
        let mut purged = 0;
        for (sql, before) in [
            (
                "delete from webhook where id in (
                   select id from webhook where processed_at < $1 order by processed_at limit $2 for update skip locked)",
                now - KEPT,
            ),
            (
                "delete from webhook where id in (
                   select id from webhook where received_at < $1 and due_at is null and processed_at is null
                   order by received_at limit $2 for update skip locked)",
                now - GIVEN_UP_KEPT,
            ),
            (
                "delete from inbound where message_id in (
                   select message_id from inbound where received_at < $1 order by received_at limit $2
                   for update skip locked)",
                now - REMEMBERED,
            ),
        ] {
            let done = sqlx::query(sql).bind(before).bind(PURGED_AT_ONCE).execute(&self.pool).await;
            purged += done.map_err(Error::during("remove old webhooks"))?.rows_affected();
        }
        Ok(purged)
    }
}
