//! The baseline of bare statements: the same rules as two statements per batch on narrow tables, and nothing else.
//!
//! One statement claims messages over many senders. It applies the daily cap and the pace, reads payments and opt-outs
//! again, records the attempts and schedules the next day. One update saves the outcomes. There are no texts, no gate
//! with reasons, no leases, no retries, no account health and no revisions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use relance::core::domain::{NaiveDate, Timestamp};
use sqlx::{Connection, PgConnection};

use crate::sender::Sent;
use crate::usage;

const WORKERS: usize = 2;
/// The senders per claim. With `PEOPLE` of each, a batch has about a thousand messages.
const SENDERS: i32 = 8;
const PEOPLE: i32 = 128;

const TABLES: &str = "
    create schema bare;
    create table bare.person (id bigint primary key, paid_at timestamptz, opted_out boolean not null);
    create table bare.sender (id int primary key, cap int not null, taken_on date not null, taken int not null,
                              next_slot_at timestamptz not null) with (fillfactor = 50);
    create table bare.schedule (sender_id int, campaign_id int, person_id bigint, day smallint not null,
                                due_at timestamptz not null, primary key (sender_id, campaign_id, person_id))
        with (fillfactor = 80);
    create index on bare.schedule (sender_id, due_at);
    create table bare.attempt (campaign_id int, person_id bigint, day smallint, state text not null,
                               queued_at timestamptz not null, sent_at timestamptz, provider_id text,
                               primary key (campaign_id, person_id, day)) with (fillfactor = 80)";

const CLAIM: &str = "
    with open as (
      select id, least(cap - case when taken_on = $2 then taken else 0 end, $4) as allow from bare.sender
      where next_slot_at <= $1 and (taken_on < $2 or taken < cap) order by next_slot_at limit $3 for update skip locked),
    due as (
      select d.* from open cross join lateral (
        select s.sender_id, s.campaign_id, s.person_id, s.day from bare.schedule s
        join bare.person p on p.id = s.person_id and p.paid_at is null and not p.opted_out
        where s.sender_id = open.id and s.due_at <= $1
        order by s.due_at limit open.allow for update of s skip locked) d),
    moved as (
      update bare.schedule s set day = s.day + 1, due_at = s.due_at + interval '1 day' from due d
      where (s.sender_id, s.campaign_id, s.person_id) = (d.sender_id, d.campaign_id, d.person_id)),
    paced as (
      update bare.sender s
      set taken = case when s.taken_on = $2 then s.taken else 0 end + coalesce(n.n, 0), taken_on = $2, next_slot_at = $1
      from open left join (select sender_id, count(*)::int as n from due group by 1) n on n.sender_id = open.id
      where s.id = open.id)
    insert into bare.attempt (campaign_id, person_id, day, state, queued_at)
    select campaign_id, person_id, day, 'sending', $1 from due
    returning campaign_id, person_id, day";

const OUTCOMES: &str = "
    update bare.attempt a set state = 'sent', sent_at = $4, provider_id = u.provider_id
    from unnest($1::int[], $2::bigint[], $3::smallint[], $5::text[]) as u (campaign_id, person_id, day, provider_id)
    where (a.campaign_id, a.person_id, a.day) = (u.campaign_id, u.person_id, u.day)";

/// Creates the tables with `people` distributed over `senders`, due from `now` on.
pub(crate) async fn prepare(psql: &mut PgConnection, people: u64, senders: u32, now: Timestamp) {
    sqlx::raw_sql(TABLES).execute(&mut *psql).await.unwrap();
    let people = i64::try_from(people).unwrap();
    let senders = i64::from(senders);
    sqlx::query("insert into bare.person select n, null, false from generate_series(1, $1) n")
        .bind(people)
        .execute(&mut *psql)
        .await
        .unwrap();
    sqlx::query(
        "insert into bare.sender select n, 1000000000, '-infinity', 0, '-infinity' from generate_series(1, $1) n",
    )
    .bind(senders)
    .execute(&mut *psql)
    .await
    .unwrap();
    sqlx::query(
        "insert into bare.schedule select 1 + (n * $2 / $1)::int, 1, n + 1, 1, $3 from generate_series(0, $1 - 1) n",
    )
    .bind(people)
    .bind(senders)
    .bind(now)
    .execute(&mut *psql)
    .await
    .unwrap();
}

/// Sends the messages due at `now` until `people` are sent.
pub(crate) async fn send(url: &str, people: u64, now: Timestamp) -> Sent {
    let sent = Arc::new(AtomicU64::new(0));
    let mut connections = Vec::new();
    for _ in 0..WORKERS {
        connections.push(PgConnection::connect(url).await.unwrap());
    }
    let (begun, cpu) = (Instant::now(), usage::own_cpu());
    let work = connections.into_iter().map(|mut psql| {
        let sent = Arc::clone(&sent);
        tokio::spawn(async move {
            while sent.load(Ordering::Relaxed) < people {
                let batch = send_batch(&mut psql, now, begun.elapsed()).await;
                sent.fetch_add(batch, Ordering::Relaxed);
            }
            psql
        })
    });
    let workers = futures_util::future::join_all(work).await;
    let (took, cpu) = (begun.elapsed(), usage::own_cpu() - cpu);
    for psql in workers {
        psql.unwrap().close().await.unwrap();
    }
    Sent { messages: sent.load(Ordering::Relaxed), took, cpu }
}

async fn send_batch(psql: &mut PgConnection, day: Timestamp, elapsed: Duration) -> u64 {
    let now = day + TimeDelta::from_std(elapsed).unwrap();
    let today: NaiveDate = now.date_naive();
    let claimed: Vec<(i32, i64, i16)> =
        sqlx::query_as(CLAIM).bind(now).bind(today).bind(SENDERS).bind(PEOPLE).fetch_all(&mut *psql).await.unwrap();
    let (campaigns, people, days): (Vec<i32>, Vec<i64>, Vec<i16>) = claimed.iter().copied().collect();
    let outcomes = sqlx::query(OUTCOMES)
        .bind(campaigns)
        .bind(people)
        .bind(days)
        .bind(now)
        .bind(vec!["null"; claimed.len()])
        .execute(psql)
        .await
        .unwrap();
    outcomes.rows_affected()
}
