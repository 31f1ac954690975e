//! What is on its way in one process: whoever has to wait to be saved holds up nobody else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use relance::channel::{Channel, Channels, Open, Outcome, Reaction};
use relance::core::dispatch::OutgoingMessage;
use relance::core::domain::Timestamp;
use relance::daemon::{BATCH, Dispatcher, Sandbox};
use relance::store::{Batch, Speed, Store};
use sqlx::postgres::PgPoolOptions;
use tokio::sync::watch;

use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const ACCOUNTS: i32 = 5;
const DEADLINE: Duration = Duration::from_secs(30);

/// Answers for an account once its number has come up.
#[derive(Debug)]
struct InTurn(watch::Receiver<i32>, fn(i32) -> Outcome);

#[async_trait]
impl Channel for InTurn {
    async fn hand_over(&self, messages: &[OutgoingMessage], _: Timestamp) -> Vec<Outcome> {
        let mut turn = self.0.clone();
        let mut outcomes = Vec::new();
        for message in messages {
            let account = message.key.target.account.0;
            turn.wait_for(|turn| *turn >= account).await.unwrap();
            outcomes.push(self.1(account));
        }
        outcomes
    }
}

/// A message of each account is on its way, and lands when its number comes up.
async fn in_flight(world: &mut World, answer: fn(i32) -> Outcome) -> (Dispatcher, watch::Sender<i32>) {
    for n in 1..=ACCOUNTS {
        let (account, phone) = (format!("a{n}"), format!("+23767100000{n}"));
        world.account(&account).await;
        world.person(Person { account: &account, ..Person::new(&account, &phone) }).await;
    }
    world.apply(&tree(2, NO_PACE, &[("c", ALWAYS)])).await;
    world.settle().await;
    let (program, _) = world.program().await;
    let (turns, turn) = watch::channel(0);
    let open: Open = Arc::new(move |_| Arc::new(InTurn(turn.clone(), answer)));
    let channels = Arc::new(Channels::open(&BTreeMap::new(), &open));
    let flight = Dispatcher::new(world.store().clone());
    let now = world.now + chrono::TimeDelta::seconds(1);
    let sent = flight.send(&program, &channels, BATCH, (now, Speed(1.0))).await.unwrap();
    assert_eq!(sent.messages, 5);
    (flight, turns)
}

#[tokio::test]
async fn the_effects_of_a_suppression_wait_for_an_enrollment_and_nobody_waits_for_them() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    let answer = |account| match account {
        ACCOUNTS => Outcome::refused("busy", Reaction::Retry { after: None }),
        _ => Outcome::refused("131050: stopped", Reaction::Suppress),
    };
    let (flight, turns) = in_flight(&mut world, answer).await;
    let mut enrollment = world.pool().begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock_shared($1)")
        .bind(0x7265_6c61_6e63_6502_i64)
        .execute(&mut *enrollment)
        .await
        .unwrap();
    land_while_two_wait(&world, &turns).await;
    until(&world, &format!("select state = 'queued' from message where account_id = {ACCOUNTS}")).await;
    // The suppressions are in force all the same.
    assert_eq!(world.count("suppression where is_pending").await, 2);
    enrollment.commit().await.unwrap();
    flight.drain().await;
    assert_eq!(world.count("suppression where not is_pending").await, 4);
    assert_eq!(world.count("message where state = 'failed'").await, 4);
}

#[tokio::test]
async fn accepted_messages_are_saved_while_refused_ones_wait_for_their_lanes() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    let answer = |account| match account {
        ACCOUNTS => Outcome::accepted("1".to_owned()),
        _ => Outcome::refused("busy", Reaction::Retry { after: None }),
    };
    let (flight, turns) = in_flight(&mut world, answer).await;
    // Somebody has the accounts, as an apply that takes a while has. Two savers wait for them.
    let mut apply = world.pool().begin().await.unwrap();
    sqlx::query("select from lane where account_id < $1 order by account_id for update")
        .bind(ACCOUNTS)
        .execute(&mut *apply)
        .await
        .unwrap();
    land_while_two_wait(&world, &turns).await;
    until(&world, &format!("select state = 'sent' from message where account_id = {ACCOUNTS}")).await;
    assert_eq!(world.count("message where state = 'sending'").await, 4);
    apply.commit().await.unwrap();
    flight.drain().await;
    assert_eq!(world.count("message where state = 'queued'").await, 4);
}

#[tokio::test]
async fn lanes_without_room_in_a_batch_are_claimed_next() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    for n in 1..=8 {
        let account = format!("a{n}");
        world.account(&account).await;
        for person in 0..20 {
            let (id, phone) = (format!("{account}r{person}"), format!("+2376710{n}{person:04}"));
            world.person(Person { account: &account, ..Person::new(&id, &phone) }).await;
        }
    }
    world.apply(&tree(2, NO_PACE, &[("c", ALWAYS)])).await;
    world.settle().await;
    let (program, channels) = world.program().await;
    let flight = Dispatcher::new(world.store().clone());
    let now = (world.now + chrono::TimeDelta::seconds(1), Speed(0.0));
    let batch = Batch { lanes: 100, people: 16, messages: 32 };
    let mut looked_at = Vec::new();
    for _ in 0..7 {
        let sent = flight.send(&program, &channels, batch, now).await.unwrap();
        flight.drain().await;
        looked_at.push((sent.messages, sent.lanes));
    }
    // Two lanes fill a batch, and those for which there was no room come next. In the end each has four people: two lanes do
    // not fill it any more, and the room is given to others.
    assert_eq!(looked_at, [(32, 2), (32, 2), (32, 2), (32, 2), (8, 2), (12, 3), (12, 3)]);
    assert_eq!(world.count("message where state = 'sent'").await, 160);
}

#[tokio::test]
async fn a_save_is_retried_after_its_connection_is_cut() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    let (flight, turns) = in_flight(&mut world, |_| Outcome::refused("busy", Reaction::Retry { after: None })).await;
    let mut apply = world.pool().begin().await.unwrap();
    sqlx::query("select from lane for update").execute(&mut *apply).await.unwrap();
    land_while_two_wait(&world, &turns).await;
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
               where datname = current_database() and wait_event_type = 'Lock'";
    assert_eq!(world.one::<i64>(cut).await, 2);
    until(&world, &waiting(2)).await;
    apply.commit().await.unwrap();
    flight.drain().await;
    assert_eq!(world.one::<i64>("select count(*) from message where state = 'queued'").await, 5);
}

#[tokio::test]
async fn a_save_is_not_retried_after_a_permanent_error() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    let (flight, turns) = in_flight(&mut world, |_| Outcome::accepted("1".to_owned())).await;
    world.sql("alter table lease rename to gone").await;
    let began = Instant::now();
    turns.send_replace(ACCOUNTS);
    flight.drain().await;
    // Attempts to save are made for more than ten seconds while Postgres is away.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(world.one::<i64>("select count(*) from message where state = 'sending'").await, 5);
}

async fn until(world: &World, query: &str) {
    let began = Instant::now();
    while !world.one::<bool>(query).await {
        assert!(began.elapsed() < DEADLINE, "never: {query}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Has all land in their order, while the savers of all but the last wait for somebody.
async fn land_while_two_wait(world: &World, turns: &watch::Sender<i32>) {
    for account in 1..ACCOUNTS {
        turns.send_replace(account);
        until(world, &waiting(account.min(2))).await;
    }
    turns.send_replace(ACCOUNTS);
}

/// Whether so many wait for a lock.
fn waiting(count: i32) -> String {
    format!(
        "select count(*) = {count} from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )
}

#[tokio::test]
async fn a_hand_over_that_gets_no_connection_left_certainly_nothing() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    world.person(Person::new("r1", "+237671000001")).await;
    world.apply(&tree(2, NO_PACE, &[("c", ALWAYS)])).await;
    world.settle().await;
    world.now += chrono::TimeDelta::seconds(1);
    let claimed = world.claim(1).await.messages;
    assert_eq!(claimed.len(), 1);
    let pool = PgPoolOptions::new().max_connections(1).connect(&world.url()).await.unwrap();
    let others = pool.acquire().await.unwrap();
    let sandbox = Sandbox::new(Store::of(pool.clone()), Duration::ZERO);
    let outcomes = sandbox.hand_over(&claimed, world.now).await;
    let [Outcome::Refused(refusal)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(refusal.reaction, Reaction::Throttle { after: None });
    drop(others);
    assert!(matches!(sandbox.hand_over(&claimed, world.now).await[..], [Outcome::Accepted { .. }]));
    assert_eq!(world.count("sandbox_message").await, 1);
}
