//! A STOP is in force at once, whatever holds the locks of its other effects, and no message leaves after it.

use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use relance::core::dispatch::program::Program;
use relance::core::domain::{Phone, Timestamp};
use relance::daemon::{Listener, SenderDirectory, receive};
use relance::store::{Batch, InboundMessage, Listed, Senders, Span, Store, Terms, Via};
use serde_json::json;
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::people::{BIA, PAUL, house, said, suppressed};
use crate::support::facts::Person;
use crate::support::house::{House, MONDAY, SECRET, envelope, post, seconds};
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const IMPORTS: i64 = 0x7265_6c61_6e63_6501;
const SUPPRESSIONS: i64 = 0x7265_6c61_6e63_6502;
/// A STOP may take this long to be in force, on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// A transaction of another process that has these locks.
async fn holding(world: &World, statements: &[String]) -> Transaction<'static, Postgres> {
    let mut tx = world.pool().begin().await.unwrap();
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut *tx).await.unwrap();
    }
    tx
}

/// Locks of transactions that may last for minutes.
fn long_transactions() -> [(&'static str, Vec<String>); 5] {
    let lock = |key: i64| format!("select pg_advisory_xact_lock({key})");
    let share = |key: i64| format!("select pg_advisory_xact_lock_shared({key})");
    let lanes = |strength: &str| format!("select from lane order by account_id for {strength}");
    [
        ("a pass of enrollment", vec![share(SUPPRESSIONS)]),
        ("the end of a pass of enrollment", vec![share(IMPORTS), share(SUPPRESSIONS), lanes("update")]),
        ("an import", vec![lock(IMPORTS), lanes("no key update")]),
        ("an edit", vec!["select from generation for update".to_owned(), "select from run for update".to_owned()]),
        ("another reply", vec![lock(SUPPRESSIONS), lanes("update")]),
    ]
}

async fn until(world: &World, query: &str) {
    let began = Instant::now();
    while !world.one::<bool>(query).await {
        assert!(began.elapsed() < SOON, "never: {query}");
        tokio::task::yield_now().await;
    }
}

fn processing(house: &House) -> tokio::task::JoinHandle<usize> {
    let store = house.world.store().clone();
    tokio::spawn(async move {
        let at = store.now().await.unwrap();
        receive(&store, &mut SenderDirectory::default(), at).await.unwrap().posts
    })
}

fn stop(id: &str, phone: &str, at: Timestamp) -> InboundMessage {
    InboundMessage {
        id: id.to_owned(),
        channel: "wa".to_owned(),
        number: Some("901".to_owned()),
        phone: Some(phone.trim_start_matches('+').to_owned()),
        user: None,
        context: None,
        text: "STOP".to_owned(),
        via: Via::Message,
        undoes: None,
        at,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_in_force_while_a_long_transaction_holds_the_locks_of_its_other_effects() {
    for (who, locks) in long_transactions() {
        let mut house = house().await;
        let tx = holding(&house.world, &locks).await;
        house.post(&said("in.1", &PAUL[1..], "STOP", MONDAY));
        let received = processing(&house);
        until(&house.world, "select count(*) = 1 from suppression where source = 'reply' and said = 'STOP'").await;
        // Nobody else takes the phone for one that may be written to either.
        assert_eq!(house.world.column("select phone from pending_stop").await, [PAUL], "{who}");
        assert_eq!(house.world.targets().await[0], "r1 c active day 2", "{who}");
        tx.rollback().await.unwrap();
        assert_eq!(received.await.unwrap(), 1);
        assert_eq!(house.world.targets().await[0], "r1 c exited opted-out day 2", "{who}");
        assert_eq!(house.world.targets().await[2], "r3 c exited opted-out day 2", "{who}");
        let left = "select (select count(*) from pending_stop) + (select count(*) from suppression where is_pending)";
        assert_eq!(house.world.one::<i64>(left).await, 0, "{who}");
        assert_eq!(house.world.count("confirmation").await, 1, "{who}");
        assert_eq!(house.world.one::<i32>("select sum(opted_out)::int from lane").await, 2, "{who}");
        house.at("2026-12-01T09:00:00Z").await;
        let mut world = house.close().await;
        world.run_for(TimeDelta::days(1)).await;
        let phones: Vec<String> = world.channel.delivered().into_iter().map(|(phone, _)| phone).collect();
        assert_eq!(phones.iter().filter(|phone| *phone == PAUL).count(), 2, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_no_import_that_suppresses_the_same_phone_at_this_moment() {
    let house = house().await;
    let opted_out =
        format!("insert into suppression (phone, source, suppressed_at) values ('{PAUL}', 'import', '{MONDAY}')");
    let tx = holding(&house.world, &[opted_out]).await;
    house.post(&said("in.1", &PAUL[1..], "STOP", MONDAY));
    let received = processing(&house);
    until(&house.world, &format!("select count(*) = 1 from pending_stop where phone = '{PAUL}'")).await;
    // Other people are not held up by it.
    let now = house.world.now;
    house.world.store().stop_at_once(&[stop("in.2", BIA.0, now)], &Senders::default(), now).await.unwrap();
    assert_eq!(suppressed(&house).await, [BIA.0]);
    tx.rollback().await.unwrap();
    received.await.unwrap();
    assert_eq!(suppressed(&house).await, [PAUL, BIA.0]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_behind_a_receipt_that_waits_for_its_account_is_heard() {
    let house = house().await;
    let tx = holding(&house.world, &["select from lane for update".to_owned()]).await;
    let name = house.world.one::<String>("select provider_id from message where referral_id = 2").await;
    let failed = json!({"id": name, "status": "failed", "timestamp": seconds(MONDAY),
                        "biz_opaque_callback_data": "relance.1.1.2.1", "errors": [{"code": 131_026, "title": "no"}]});
    house.post(&json!({"statuses": [failed]}));
    let received = processing(&house);
    while house.world.waiting_for_locks().await < 1 {
        tokio::task::yield_now().await;
    }
    // The process is busy, and reads what waits.
    house.post(&said("in.1", &PAUL[1..], "STOP", MONDAY));
    let (mut listener, (now, _)) = (Listener::default(), house.world.store().now().await.unwrap());
    assert_eq!(listener.listen(house.world.store(), now).await.unwrap(), 1);
    assert_eq!(suppressed(&house).await, [PAUL]);
    assert_eq!(listener.listen(house.world.store(), now).await.unwrap(), 0);
    tx.rollback().await.unwrap();
    received.await.unwrap();
    assert_eq!(processing(&house).await.unwrap(), 1);
    assert_eq!(house.world.targets().await[0], "r1 c exited opted-out day 2");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_or_an_operator_stops_is_in_force_at_once_too() {
    for (listed, source) in [(Listed::ByProvider, "channel"), (Listed::ByHand, "operator")] {
        let house = house().await;
        let (_, locks) = long_transactions().into_iter().nth(1).unwrap();
        let tx = holding(&house.world, &locks).await;
        let (store, now) = (house.world.store().clone(), house.world.now);
        let phones = [Phone::trusted(PAUL.to_owned())].into();
        let suppressing =
            tokio::spawn(async move { store.suppress(&phones, listed, Some("131050"), now).await.unwrap() });
        until(&house.world, &format!("select count(*) = 1 from suppression where source = '{source}'")).await;
        assert_eq!(house.world.column("select phone from pending_stop").await, [PAUL]);
        tx.rollback().await.unwrap();
        let done = suppressing.await.unwrap();
        assert_eq!((done.added, done.exited), (1, 2));
        assert_eq!(house.world.count("pending_stop").await, 0);
        house.close().await;
    }
}

/// Two accounts' worth of people who are all due, and the program.
async fn due(people: usize) -> (World, Arc<Program>, Vec<String>) {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.account("a2").await;
    let phones: Vec<String> = (0..people).map(|n| format!("+2376710{n:05}")).collect();
    for (n, phone) in phones.iter().enumerate() {
        let account = ["a1", "a2"][n % 2];
        world.person(Person { account, ..Person::new(&format!("r{n}"), phone) }).await;
    }
    let spec = format!("{ALWAYS}, limits: {{messagesPerDay: 1000}}");
    world.apply(&tree(2, NO_PACE, &[("c", &spec)])).await;
    let (program, _) = world.program().await;
    world.store().advance_runs(&program, world.now).await.unwrap();
    for id in world.store().campaigns_to_enroll(world.now).await.unwrap() {
        world.store().enroll(&program, id, world.now).await.unwrap();
    }
    world.now += TimeDelta::hours(12);
    (world, program, phones)
}

async fn claim(store: &Store, program: &Program, messages: usize, now: Timestamp) -> (usize, Vec<String>) {
    let batch = Batch { lanes: 10, people: 256, messages };
    let claim = store.claim(program, batch, Span::now(now), Terms::until(now + TimeDelta::hours(1))).await.unwrap();
    (claim.lanes, claim.messages.into_iter().map(|message| message.phone.as_str().to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_has_read_everybody_before_a_stop_takes_nobody_who_said_it() {
    let (world, program, phones) = due(4).await;
    // The claim has asked the gate about everybody, and cannot yet write its lease.
    let tx = holding(&world, &["lock table lease in share mode".to_owned()]).await;
    let (store, now) = (world.store().clone(), world.now);
    let claiming = tokio::spawn({
        let (store, program) = (store.clone(), Arc::clone(&program));
        async move { claim(&store, &program, 100, now).await.1 }
    });
    while world.waiting_for_locks().await < 1 {
        tokio::task::yield_now().await;
    }
    store.stop_at_once(&[stop("in.1", &phones[1], now)], &Senders::default(), now).await.unwrap();
    tx.commit().await.unwrap();
    let mut claimed = claiming.await.unwrap();
    claimed.extend(claim(&store, &program, 100, now).await.1);
    claimed.sort();
    assert_eq!(claimed, [phones[0].clone(), phones[2].clone(), phones[3].clone()]);
    assert_eq!((world.count("message").await, world.wrong_counters().await), (3, 0));
    assert_eq!(world.count("target where state = 'exited' and exit_reason = 'opted-out'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_message_is_claimed_after_the_stop_of_its_person_is_in_force() {
    const PEOPLE: usize = 120;
    let (world, program, phones) = due(PEOPLE).await;
    // Nobody gets the lock that enrollment shares, so that no STOP has its other effects.
    let tx = holding(&world, &[format!("select pg_advisory_xact_lock_shared({SUPPRESSIONS})")]).await;
    let (store, now) = (world.store().clone(), world.now);
    let claiming = tokio::spawn({
        let (store, program) = (store.clone(), Arc::clone(&program));
        async move {
            loop {
                let (lanes, _) = claim(&store, &program, 3, now).await;
                if lanes == 0 {
                    return;
                }
            }
        }
    });
    let mut before = Vec::new();
    for (n, phone) in phones.iter().enumerate().rev().step_by(3) {
        let id = format!("in.{n}");
        store.stop_at_once(slice::from_ref(&stop(&id, phone, now)), &Senders::default(), now).await.unwrap();
        let messages = world.count(&format!("message where phone = '{phone}'")).await;
        before.push((phone, messages));
    }
    claiming.await.unwrap();
    tx.commit().await.unwrap();
    for (phone, messages) in &before {
        assert_eq!(world.count(&format!("message where phone = '{phone}'")).await, *messages, "{phone}");
    }
    assert!(before.iter().any(|(_, messages)| *messages == 0), "every STOP came too late to matter");
    assert_eq!(world.wrong_counters().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhooks_of_a_dead_process_are_taken_up_when_the_next_one_starts() {
    let mut house = house().await;
    house.post(&said("in.1", &PAUL[1..], "STOP", MONDAY));
    house.post(&said("in.2", BIA.1, "STOP", MONDAY));
    let (store, now) = (house.world.store().clone(), house.world.now);
    let taken = store.claim_webhooks(now, now + TimeDelta::minutes(1)).await.unwrap();
    assert_eq!((taken.len(), house.tick().await), (2, 0));
    // One that could not be processed keeps its pause.
    store.put_webhook_off(&taken[1], ("cannot read it", false), now).await.unwrap();
    assert_eq!(store.free_webhooks(now).await.unwrap(), 1);
    assert_eq!((house.tick().await, suppressed(&house).await), (1, vec![PAUL.to_owned()]));
    assert_eq!(store.free_webhooks(now).await.unwrap(), 0);
    house.at("2026-11-30T10:00:00Z").await;
    assert_eq!((house.tick().await, suppressed(&house).await), (1, vec![PAUL.to_owned(), BIA.0.to_owned()]));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_whose_webhook_is_given_up_stays_in_force_until_a_newer_start_or_an_operator_lifts_it() {
    for lifted_by_start in [true, false] {
        let mut house = house().await;
        house.at("2026-11-30T10:00:00Z").await;
        let (store, now) = (house.world.store().clone(), house.world.now);
        let at: Timestamp = "2026-11-30T09:30:00Z".parse().unwrap();
        store.stop_at_once(&[stop("in.1", PAUL, at)], &Senders::default(), now).await.unwrap();
        assert_eq!((suppressed(&house).await, house.world.count("pending_stop").await), (vec![PAUL.to_owned()], 1));
        // An older START comes late.
        house.tell("messages", &said("in.2", &PAUL[1..], "START", "2026-11-30T09:00:00Z")).await;
        assert_eq!((suppressed(&house).await, house.world.count("pending_stop").await), (vec![PAUL.to_owned()], 1));
        if lifted_by_start {
            house.tell("messages", &said("in.3", &PAUL[1..], "START", "2026-11-30T09:45:00Z")).await;
        } else {
            let phones = [Phone::trusted(PAUL.to_owned())].into();
            assert_eq!(store.unsuppress(&phones, "they asked", now).await.unwrap().len(), 1);
        }
        assert!(suppressed(&house).await.is_empty());
        assert_eq!(house.world.count("pending_stop").await, 0);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_was_processed_before_is_not_put_in_force_again() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    let told = said("in.1", &PAUL[1..], "STOP", "2026-11-30T09:00:00Z");
    house.tell("messages", &told).await;
    house.tell("messages", &said("in.2", &PAUL[1..], "START", "2026-11-30T09:05:00Z")).await;
    let (store, now) = (house.world.store().clone(), house.world.now);
    for id in ["in.1", "in.3"] {
        // Repeated by the provider, and an older word that comes late.
        let at: Timestamp = "2026-11-30T09:00:00Z".parse().unwrap();
        store.stop_at_once(&[stop(id, PAUL, at)], &Senders::default(), now).await.unwrap();
        assert_eq!(house.world.count("pending_stop").await + house.world.count("suppression").await, 0, "{id}");
    }
    assert_eq!(post(house.address, envelope("messages", &told).as_bytes(), SECRET).0, 200);
    house.receive().await;
    assert!(suppressed(&house).await.is_empty());
    house.close().await;
}
