//! Notifications: events become notifications, which are claimed until they are delivered. All state is in the
//! database, so that neither a crash nor an unreachable receiver loses any.
//!
//! Transactions lock notifiers before notifications, and each of these in key order.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};

use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::notification::{Delivery, Notification};
use crate::core::manifest::desired::Notifier;
use crate::store::event::{Event, tell};
use crate::store::{Error, Store};

/// The delay that combines events of successive transactions, such as a campaign pausing in thousands of accounts, into
/// one notification.
const SETTLE: &str = "2 seconds";
/// The batch limit per notifier: a backlog for one receiver does not delay the others.
const AT_ONCE: i64 = 4;

/// Decodes a notification from its row, with the present state of its notifier.
fn notification(row: &PgRow) -> Result<Notification, sqlx::Error> {
    let Json(topic) = row.try_get("topic")?;
    let Json(spec) = row.try_get("spec")?;
    let Json(detail) = row.try_get("detail")?;
    Ok(Notification {
        id: row.try_get("id")?,
        uid: row.try_get("uid")?,
        notifier: row.try_get("notifier")?,
        topic,
        campaign: row.try_get("campaign")?,
        account: row.try_get("account")?,
        accounts: row.try_get("accounts")?,
        events: row.try_get("events")?,
        folded: row.try_get("folded")?,
        actor: row.try_get("actor")?,
        reason: row.try_get("reason")?,
        detail,
        revision: row.try_get("revision")?,
        first_at: row.try_get("first_at")?,
        last_at: row.try_get("last_at")?,
        attempts: row.try_get("attempts")?,
        created_at: row.try_get("created_at")?,
        spec,
    })
}

impl Store {
    /// Creates notifications from the events since each notifier's cursor. Every event is read once, however many
    /// processes read. Returns true if there were any.
    pub async fn collect_notifications(&self, now: Timestamp) -> Result<bool, Error> {
        const OPERATION: &str = "collect notifications";
        let is_news: bool = sqlx::query_scalar(
            // The order makes the planner follow the index: it cannot know that few events come after a cursor.
            "select exists (select from notifier n cross join lateral (
               select from event e
               where e.xid >= pg_snapshot_xmin(n.cursor) and not pg_visible_in_snapshot(e.xid, n.cursor)
               order by e.xid limit 1) news)",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        if !is_news {
            return Ok(false);
        }
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        let notifiers: Vec<(String, Json<Notifier>)> = sqlx::query_as(
            "select n.name, m.body from notifier n join manifest m on m.kind = 'Notifier' and m.name = n.name
             order by n.name for update of n skip locked",
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        let (notifiers, folds): (Vec<String>, Vec<Duration>) =
            notifiers.into_iter().map(|(name, Json(spec))| (name, Duration::from(spec.fold_for))).unzip();
        sqlx::query(HOLD).bind(&notifiers).execute(&mut *tx).await.map_err(Error::during(OPERATION))?;
        // One statement, so that the events and the new cursor belong to one snapshot, which includes the commit of the
        // previous holder of the locks.
        sqlx::query(COLLECT)
            .bind(&notifiers)
            .bind(now)
            .bind(SETTLE)
            .bind(folds)
            .execute(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        tx.commit().await.map_err(Error::during(OPERATION))?;
        Ok(true)
    }

    /// Claims due notifications, some per notifier. The caller settles them before `until`; afterwards others may claim
    /// them.
    pub async fn claim_notifications(&self, now: Timestamp, until: Timestamp) -> Result<Vec<Notification>, Error> {
        sqlx::query(include_str!("claim_notifications.sql"))
            .bind(now)
            .bind(until)
            .bind(AT_ONCE)
            .try_map(|row| notification(&row))
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("claim notifications"))
    }

    /// Saves the deliveries of notifications; one that is given up is logged.
    pub async fn settle_notifications(
        &self,
        settled: &[(Notification, Delivery)],
        now: Timestamp,
    ) -> Result<(), Error> {
        const OPERATION: &str = "save the outcomes of notifications";
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        save(&mut tx, settled, now).await.map_err(Error::during(OPERATION))?;
        let given_up = settled.iter().filter_map(|(notice, delivery)| match delivery {
            Delivery::GivenUp { error } => {
                let Notification { notifier, topic, attempts, detail, .. } = notice;
                let given_up = Detail::NotificationGivenUp {
                    notifier: notifier.clone(),
                    topic: *topic,
                    detail: Box::new(detail.clone()),
                    attempts: *attempts,
                    error: error.clone(),
                };
                Some(Event::new(EventKind::NotificationGivenUp, None, given_up))
            }
            Delivery::Done | Delivery::Again { .. } => None,
        });
        tell(&mut tx, &given_up.collect::<Vec<_>>(), now).await?;
        tx.commit().await.map_err(Error::during(OPERATION))
    }
}

async fn save(tx: &mut PgConnection, settled: &[(Notification, Delivery)], now: Timestamp) -> Result<(), sqlx::Error> {
    let error = |delivery: &Delivery| match delivery {
        Delivery::Done => None,
        Delivery::Again { error, .. } | Delivery::GivenUp { error } => Some(error.clone()),
    };
    let due = |delivery: &Delivery| match delivery {
        Delivery::Again { at, .. } => Some(*at),
        Delivery::Done | Delivery::GivenUp { .. } => None,
    };
    let ids: Vec<i64> = settled.iter().map(|(notice, _)| notice.id).collect();
    sqlx::query("select from notification where id = any($1) order by id for update")
        .bind(&ids)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "update notification o set due_at = u.due_at, error = u.error, delivered_at = case when u.error is null then $4 end
         from unnest($1::bigint[], $2::timestamptz[], $3::text[]) as u (id, due_at, error)
         where o.id = u.id and o.delivered_at is null",
    )
    .bind(ids)
    .bind(settled.iter().map(|(_, delivery)| due(delivery)).collect::<Vec<_>>())
    .bind(settled.iter().map(|(_, delivery)| error(delivery)).collect::<Vec<_>>())
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Starts new notifiers at the present end of the log, so that they see this transaction's events, and deletes removed
/// ones.
pub(super) async fn sync_notifiers(tx: &mut PgConnection) -> Result<(), Error> {
    const OPERATION: &str = "save the notifiers";
    let gone: Vec<String> = sqlx::query_scalar(
        "select name from notifier n
         where not exists (select from manifest m where m.kind = 'Notifier' and m.name = n.name) order by name for update",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during(OPERATION))?;
    if !gone.is_empty() {
        let hold = "select from notification where notifier = any($1) order by id for update";
        sqlx::query(hold).bind(&gone).execute(&mut *tx).await.map_err(Error::during(OPERATION))?;
        let forget = "delete from notifier where name = any($1)";
        sqlx::query(forget).bind(gone).execute(&mut *tx).await.map_err(Error::during(OPERATION))?;
    }
    sqlx::query(
        "insert into notifier (name, cursor)
         select name, format('%1$s:%1$s:', pg_current_xact_id())::pg_snapshot from manifest where kind = 'Notifier'
         on conflict (name) do nothing",
    )
    .execute(tx)
    .await
    .map_err(Error::during(OPERATION))?;
    Ok(())
}

/// Locks notifications that were not tried yet, so that none is sent while new events are added to it.
const HOLD: &str = "select from notification where notifier = any($1) and attempts = 0 order by id for update";

/// The first notification of a kind goes out at once. Similar events within an interval after it share one more, which
/// goes out when the interval ends and starts the next. No notification waits for an event that may never come.
///
/// Run events are similar if campaign, reason and actor agree, in any account; other events, if their details agree.
const COLLECT: &str = "
with read as (
  select n.name, n.cursor, m.body -> 'events' as topics, u.fold
  from unnest($1::text[], $4::interval[]) as u (name, fold) join notifier n on n.name = u.name
  join manifest m on m.kind = 'Notifier' and m.name = n.name),
moved as (update notifier set cursor = pg_current_snapshot() where name = any($1)),
event_of as (
  select n.name as notifier, n.fold, n.topics, e.at, e.id, e.actor, e.reason, e.detail, e.revision_id,
         c.name as campaign, a.id as account_id, a.external_id as account,
         case when e.kind <> 'run-phase' then e.kind
              when e.after = 'paused' then 'run-paused'
              when e.after = e.before then null
              when e.after = 'active' and e.before = 'paused' then 'run-resumed'
              when e.after = 'active' then 'run-started'
              when e.after in ('completed', 'cancelled') then 'run-' || e.after end as topic
  from read n join event e on e.xid >= pg_snapshot_xmin(n.cursor) and not pg_visible_in_snapshot(e.xid, n.cursor)
  left join campaign c on c.id = e.campaign_id left join account a on a.id = e.account_id),
keyed as (
  select *, concat_ws(E'\\n', topic, campaign,
                      case when topic like 'run-%' then concat_ws(E'\\n', reason, actor) else concat_ws(E'\\n', account, detail) end)
              as fold_key
  from event_of where topics ? topic),
grouped as (
  select notifier, fold, topic, fold_key, min(campaign) as campaign, min(account) as account,
         coalesce(array_agg(distinct account_id) filter (where account_id is not null), '{}') as account_ids,
         count(*) as events, min(actor) as actor, min(reason) as reason,
         (array_agg(detail order by at desc, id desc))[1] as detail,
         (array_agg(revision_id order by at desc, id desc))[1] as revision_id, min(at) as first_at, max(at) as last_at
  from keyed group by notifier, fold, topic, fold_key),
known as (
  select g.*, o.id, o.created_at + g.fold as told_next, coalesce(o.created_at > $2 - g.fold, false) as is_again,
         coalesce(o.attempts = 0, false) as is_waiting
  from grouped g left join lateral (
    select * from notification o where o.notifier = g.notifier and o.fold_key = g.fold_key order by o.id desc limit 1) o on true),
counted as (
  update notification o
  set events = o.events + k.events, folded = case when o.folded > 0 then o.folded + k.events else 0 end,
      account_ids = u.account_ids, accounts = cardinality(u.account_ids), detail = k.detail,
      revision_id = k.revision_id, last_at = greatest(o.last_at, k.last_at)
  from known k cross join lateral (
    select array(select unnest(n.account_ids) from notification n where n.id = k.id union select unnest(k.account_ids))
             as account_ids) u
  where o.id = k.id and k.is_again and k.is_waiting)
insert into notification (notifier, topic, fold_key, campaign, account, account_ids, accounts, events, folded, actor,
                          reason, detail, revision_id, first_at, last_at, created_at, due_at)
select notifier, topic, fold_key, campaign, account, account_ids, cardinality(account_ids), events,
       case when is_again then events else 0 end, actor, reason, detail, revision_id, first_at, last_at,
       case when is_again then told_next else $2 end,
       case when is_again then greatest(told_next, $2 + $3::interval) else $2 + $3::interval end
from known where not (is_again and is_waiting) order by first_at";
