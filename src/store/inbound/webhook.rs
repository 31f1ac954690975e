//! What providers post to us, from when it came until nobody needs it any more.

use chrono::TimeDelta;

use crate::core::domain::Timestamp;
use crate::store::schedule::next_due::{GIVEN_UP_KEPT, KEPT};
use crate::store::{Error, Store};

/// Posts that are taken at once, and the bytes after which no further one is.
const AT_ONCE: i64 = 256;
const BYTES_AT_ONCE: i64 = 4 * 1024 * 1024;
/// After these many attempts a post is kept as it is.
const ATTEMPTS: i32 = 10;
/// The first pause after a failed attempt; each is twice as long as the one before.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// Providers repeat what they tell for a week; a little longer is remembered what was heard.
const REMEMBERED: TimeDelta = TimeDelta::days(30);
/// Rows of a kind that one purge removes.
const PURGED_AT_ONCE: i64 = 5_000;

/// One post.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Webhook {
    pub id: i64,
    pub channel: String,
    pub received_at: Timestamp,
    pub body: Vec<u8>,
    /// This one included.
    pub attempts: i32,
}

/// What became of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    pub id: i64,
    /// What in it could not be read.
    pub problem: Option<String>,
    /// Somebody whom it names was forgotten: its body goes.
    pub erase: bool,
}

impl Store {
    /// Writes down what was posted to `channel`.
    pub async fn keep_webhook(&self, channel: &str, body: &[u8], now: Timestamp) -> Result<(), Error> {
        sqlx::query("insert into webhook (channel, received_at, body, due_at) values ($1, $2, $3, $2)")
            .bind(channel)
            .bind(now)
            .bind(body)
            .execute(&self.pool)
            .await
            .map_err(Error::during("write a webhook down"))?;
        Ok(())
    }

    /// Hands out posts that wait, the oldest first. Whoever takes them settles them before `until`; otherwise others get
    /// them.
    pub async fn claim_webhooks(&self, now: Timestamp, until: Timestamp) -> Result<Vec<Webhook>, Error> {
        let mut claimed: Vec<Webhook> = sqlx::query_as(
            "with due as (
               select id, due_at, octet_length(body) as bytes from webhook where due_at <= $1
               order by due_at, id limit $3 for update skip locked),
             taken as (
               select id from (select id, sum(bytes) over (order by due_at, id) - bytes as before from due) d
               where before < $4)
             update webhook w set attempts = w.attempts + 1, due_at = $2 from taken where w.id = taken.id
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

    /// Notes that posts are processed.
    pub async fn settle_webhooks(&self, settled: &[Processed], now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "with u as materialized (
               select w.id, u.error, w.erase or u.erase as erase
               from unnest($1::bigint[], $2::text[], $4::boolean[]) as u (id, error, erase) join webhook w on w.id = u.id
               order by w.id for update of w)
             update webhook w
             set processed_at = $3, due_at = null, error = u.error, body = case when u.erase then '' else w.body end
             from u where w.id = u.id",
        )
        .bind(settled.iter().map(|one| one.id).collect::<Vec<_>>())
        .bind(settled.iter().map(|one| one.problem.as_deref()).collect::<Vec<_>>())
        .bind(now)
        .bind(settled.iter().map(|one| one.erase).collect::<Vec<_>>())
        .execute(&self.pool)
        .await
        .map_err(Error::during("note that webhooks are processed"))?;
        Ok(())
    }

    /// Has a post that could not be processed tried again, later each time; in the end it is kept with its `error` for a
    /// month, without its body if that is to be erased. Says when it is tried again.
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
             set due_at = $2, error = $3,
                 body = case when $2::timestamptz is null and (erase or $4) then '' else body end
             where id = $1 and processed_at is null",
        )
        .bind(webhook.id)
        .bind(again)
        .bind(error)
        .bind(erase)
        .execute(&self.pool)
        .await
        .map_err(Error::during("put a webhook off"))?;
        Ok(again)
    }

    /// Erases what was posted that names somebody by one of `names`; what waits goes when it has been processed. In a
    /// transaction of its own: whoever processes posts has locks that others wait for.
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
        .map_err(Error::during("erase what was posted of a person"))?;
        Ok(())
    }

    /// Removes posts that were processed a week ago, and those that were given up and came a month ago, and forgets what
    /// nobody repeats any more. Returns how many rows.
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
