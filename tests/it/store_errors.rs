//! What goes wrong between the store and Postgres says what a caller can do about it.

use std::collections::BTreeSet;
use std::net::TcpListener;

use chrono::TimeDelta;
use relance::core::domain::{AccountId, Phone, Timestamp};
use relance::daemon::BATCH;
use relance::store::{Claim, Error, Inbound, Listed, ReplyEffects, Span, Store, Suppressed, Terms};
use sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::support::database::database;
use crate::support::facts::Person;
use crate::support::rows::waiting_for_locks;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const PHONES: [&str; 2] = ["+237671000001", "+237671000002"];

/// An account with two people, both due.
async fn world() -> World {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    for phone in PHONES {
        world.person(Person::new(phone, phone)).await;
    }
    world.apply(&tree(2, NO_PACE, &[("c", ALWAYS)])).await;
    world.settle().await;
    world.now += TimeDelta::minutes(1);
    world
}

/// Begins to suppress both people, which takes the lock of their account.
fn suppress(store: &Store, now: Timestamp) -> JoinHandle<Result<Suppressed, Error>> {
    let (store, phones) = (store.clone(), PHONES.map(|phone| Phone::trusted(phone.to_owned())));
    tokio::spawn(async move { store.suppress(&BTreeSet::from(phones), Listed::ByHand, None, now).await })
}

/// Begins to act on a STOP of both people, which takes the lock of their account too.
fn stop(store: &Store, now: Timestamp) -> JoinHandle<Result<ReplyEffects, Error>> {
    let said = |phone: &str| Inbound {
        account: AccountId(1),
        phone: Phone::trusted(phone.to_owned()),
        text: "STOP".to_owned(),
    };
    let (store, replies) = (store.clone(), PHONES.map(said));
    tokio::spawn(async move { store.reply(&replies, now).await })
}

async fn claim(store: &Store, world: &mut World) -> JoinHandle<Result<Claim, Error>> {
    let ((program, _), store, now) = (world.program().await, store.clone(), world.now);
    let until = now + TimeDelta::minutes(1);
    tokio::spawn(async move { store.claim(&program, BATCH, Span::now(now), Terms::until(until)).await })
}

async fn wait_for(waiting: i64, world: &World) {
    while waiting_for_locks(world.pool()).await < waiting {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_missing_server_is_an_unavailable_error() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Store::open(&format!("postgres://nobody@{free}/nothing"), 1).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { operation: "connect to the database", .. }), "{error:?}");
}

#[tokio::test]
async fn a_cut_connection_is_an_unavailable_error() {
    let world = world().await;
    let mut other = world.pool().begin().await.unwrap();
    sqlx::query("select from lane for update").execute(&mut *other).await.unwrap();
    let suppressing = suppress(world.store(), world.now);
    wait_for(1, &world).await;
    world
        .sql(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .await;
    let error = suppressing.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unavailable { operation: "lock the lanes", .. }), "{error:?}");
}

#[tokio::test]
async fn a_concurrent_insert_is_a_conflict_error() {
    let mut world = world().await;
    let mut other = world.pool().begin().await.unwrap();
    sqlx::query(
        "insert into message (account_id, referral_id, campaign_id, day, state, attempts, phone, language, text,
                              revision_id, due_at, queued_at)
         select account_id, referral_id, campaign_id, day, 'sending', 1, '', 'fr', '', 1, due_at, due_at from target",
    )
    .execute(&mut *other)
    .await
    .unwrap();
    let claiming = claim(&world.store().clone(), &mut world).await;
    wait_for(1, &world).await;
    other.commit().await.unwrap();
    let error = claiming.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Conflict { operation: "save the attempts", .. }), "{error:?}");
}

#[tokio::test]
async fn a_deadlock_victim_gets_a_retryable_error() {
    let world = world().await;
    let [first, second] = PHONES;
    let add = "insert into suppression (phone, source, suppressed_at) values ($1, 'operator', '2026-11-30Z')";
    // Somebody has the account, and is going to want the first phone. They never notice a deadlock themselves.
    let mut backwards = world.pool().begin().await.unwrap();
    sqlx::query("set local deadlock_timeout = '1h'").execute(&mut *backwards).await.unwrap();
    sqlx::query("select from lane for update").execute(&mut *backwards).await.unwrap();
    let mut other = world.pool().begin().await.unwrap();
    sqlx::query(add).bind(second).execute(&mut *other).await.unwrap();
    // The verb has the first phone and waits for the second.
    let stopping = stop(world.store(), world.now);
    wait_for(1, &world).await;
    let wanting = tokio::spawn(async move {
        sqlx::query(add).bind(first).execute(&mut *backwards).await.unwrap();
        backwards.rollback().await.unwrap();
    });
    wait_for(2, &world).await;
    other.rollback().await.unwrap();
    let error = stopping.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Serialization { operation: "lock the lanes", .. }), "{error:?}");
    wanting.await.unwrap();
    let effects = stop(world.store(), world.now).await.unwrap().unwrap();
    assert_eq!((effects.stopped.len(), effects.exited), (2, 2));
}

#[tokio::test]
async fn a_long_lock_wait_is_a_timeout_error() {
    let world = world().await;
    let mut other = world.pool().begin().await.unwrap();
    sqlx::query("select from lane for update").execute(&mut *other).await.unwrap();
    let impatient = (*world.pool().connect_options()).clone().options([("lock_timeout", "10ms")]);
    let store = Store::of(PgPool::connect_with(impatient).await.unwrap());
    let error = suppress(&store, world.now).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::StatementTimeout { operation: "lock the lanes", .. }), "{error:?}");
}

#[tokio::test]
async fn a_newer_schema_is_a_schema_error() {
    let database = database().await;
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         select max(version) + 1, 'of tomorrow', true, '', 0 from _sqlx_migrations",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let error = Store::open(&database.url(), 1).await.unwrap_err();
    assert!(matches!(error, Error::Schema { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "cannot use the database: its schema is newer than this relancectl; run the version that made it, or a newer one"
    );
}

#[tokio::test]
async fn an_impossible_row_is_an_invariant_error() {
    let mut world = world().await;
    world.sql("update account set timezone = 'Africa/Atlantis'").await;
    let error = claim(&world.store().clone(), &mut world).await.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Invariant { operation: "read the claimed lanes", .. }), "{error:?}");
}
