//! The order in which notifications are locked.

use std::cmp::Reverse;

use chrono::TimeDelta;
use relance::core::lifecycle::notification::Delivery;
use sqlx::{PgPool, Postgres, Transaction};

use super::{Team, notifier};
use crate::support::receiver::Receiver;
use crate::support::rows::waiting_for_locks;

/// Whoever settles notices, counts what is alike or forgets a notifier locks the first row before any other.
#[tokio::test]
async fn notifications_are_locked_in_the_order_of_their_ids() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    team.apply("active", &notifier("ops", "webhook", &url, ", events: [import]")).await;
    let (store, pool, now) = (team.world.store().clone(), team.world.pool().clone(), team.world.now);
    // By what is alike, and in the table, they stand the other way round.
    for word in ["c", "b", "a"] {
        team.imported(word).await;
        store.collect_notifications(now).await.unwrap();
    }
    let later = now + TimeDelta::seconds(2);
    let mut taken = store.claim_notifications(later, later + TimeDelta::minutes(1)).await.unwrap();
    taken.sort_by_key(|notice| Reverse(notice.id));
    let settled: Vec<_> = taken.into_iter().map(|notice| (notice, Delivery::Done)).collect();
    let ids: Vec<i64> = settled.iter().rev().map(|(notice, _)| notice.id).collect();

    turn_round(&pool, &ids).await;
    let first = hold(&pool, ids[0]).await;
    let (settle, ()) =
        tokio::join!(store.settle_notifications(&settled, later), only_the_first_is_waited_for(first, &pool, &ids));
    settle.unwrap();

    for word in ["a", "b", "c"] {
        team.imported(word).await;
    }
    team.world.sql("update notification set attempts = 0").await;
    turn_round(&pool, &ids).await;
    let first = hold(&pool, ids[0]).await;
    let (collect, ()) =
        tokio::join!(store.collect_notifications(later), only_the_first_is_waited_for(first, &pool, &ids));
    collect.unwrap();
    assert_eq!(team.world.column("select events::text from notification").await, ["2", "2", "2"]);

    turn_round(&pool, &ids).await;
    let first = hold(&pool, ids[0]).await;
    tokio::join!(team.apply("active", ""), only_the_first_is_waited_for(first, &pool, &ids));
    assert_eq!(team.world.count("notification").await, 0);
}

/// Has the table hold these notifications in the opposite order.
async fn turn_round(pool: &PgPool, ids: &[i64]) {
    for id in ids.iter().rev() {
        let touch = "update notification set events = events where id = $1";
        sqlx::query(touch).bind(id).execute(pool).await.unwrap();
    }
}

/// Locks a notification.
async fn hold(pool: &PgPool, id: i64) -> Transaction<'static, Postgres> {
    let mut holder = pool.begin().await.unwrap();
    let lock = "select from notification where id = $1 for update";
    sqlx::query(lock).bind(id).execute(&mut *holder).await.unwrap();
    holder
}

/// Holds the first row until somebody waits for it, who must have none of the others by then.
async fn only_the_first_is_waited_for(holder: Transaction<'static, Postgres>, pool: &PgPool, ids: &[i64]) {
    let mut looks = 0;
    while waiting_for_locks(pool).await == 0 {
        looks += 1;
        assert!(looks < 20_000, "nobody waits");
    }
    let rest = "select id from notification where id = any($1) order by id for update nowait";
    let free: Result<Vec<i64>, _> = sqlx::query_scalar(rest).bind(&ids[1..]).fetch_all(pool).await;
    assert_eq!(free.unwrap(), ids[1..]);
    holder.rollback().await.unwrap();
}
