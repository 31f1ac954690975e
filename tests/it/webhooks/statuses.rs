//! What becomes of messages, told by many posts at once, twice and in any order.
//!
//! There are some 20,000 updates, or as many as are asked for:
//!
//! ```sh
//! RELANCE_WEBHOOK_UPDATES=100000 cargo test --test it webhooks::statuses
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use chrono::TimeDelta;
use relance::core::domain::{AccountId, Callback, CampaignId, Mark, MessageKey, ReferralId, TargetKey, Timestamp, mix};
use relance::daemon::{Addressees, receive};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{House, MONDAY, SECRET, account, channel, folder, post};
use crate::sending::{NO_PACE, tree};
use crate::world::World;

const ACCOUNTS: u64 = 8;
/// Posts that arrive at once, and processes that work on them.
const POSTERS: usize = 6;
const RECEIVERS: usize = 3;

fn asked(usual: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "another run is asked for by hand")]
    std::env::var("RELANCE_WEBHOOK_UPDATES").map_or(usual, |number| number.parse().unwrap())
}

/// Fills a world with people who were all written to; every tenth message is one of which nobody knows whether it left.
async fn fill(mut world: World, people: u64) -> House {
    for n in 1..=ACCOUNTS {
        world.account(&format!("a{n}")).await;
    }
    let dir = folder();
    let accounts: String = (1..=ACCOUNTS).map(|n| account(&format!("a{n}"), &(900 + n).to_string())).collect();
    world.apply(&(tree(2, NO_PACE, &[("c", "state: draft")]) + &channel(&dir) + &accounts)).await;
    for statement in [
        format!(
            "insert into referral (account_id, external_id, name, phone, country, registered_at, consent, as_of, is_current)
             select 1 + n % {ACCOUNTS}, 'r' || n, 'Paul', '+237' || (670000000 + n), 'CM', '2026-11-20Z', 'opted_in',
                    '2026-11-20Z', true
             from generate_series(1, {people}) n"
        ),
        "insert into run (account_id, campaign_id, phase, reason, message, created_at, revision_id)
         select id, 1, 'active', 'running', 'so', '2026-11-30Z', 1 from account on conflict do nothing"
            .to_owned(),
        "insert into target (account_id, campaign_id, referral_id, state, day, due_at, enrolled_at, revision_id)
         select account_id, 1, id, 'active', 2, '2026-12-01Z', '2026-11-29Z', 1 from referral"
            .to_owned(),
        "insert into message (account_id, referral_id, campaign_id, day, state, attempts, counts_on, phone, language, text,
                              revision_id, queued_at, sent_at, provider_id, error)
         select account_id, id, 1, 1, case when id % 10 = 0 then 'uncertain' else 'sent' end, 1, '2026-11-29', phone, 'fr',
                'Bonjour', 1, '2026-11-29T08:00Z', case when id % 10 <> 0 then timestamptz '2026-11-29T08:00:00.5Z' end,
                case when id % 10 <> 0 then 'wamid.' || id end, case when id % 10 = 0 then 'no answer' end
         from referral"
            .to_owned(),
    ] {
        world.sql(&statement).await;
    }
    House::open(world, dir).await
}

fn time(n: u64, minutes: i64) -> String {
    let start: Timestamp = "2026-11-29T08:00:00Z".parse().unwrap();
    let second = i64::try_from(mix(n) % 50).unwrap();
    (start + TimeDelta::minutes(minutes) + TimeDelta::seconds(second)).timestamp().to_string()
}

/// A change for an account, with one update in it.
fn change(account: u64, list: &str, update: &Value) -> Value {
    json!({"field": "messages", "value": {"metadata": {"phone_number_id": (901 + account).to_string()}, list: [update]}})
}

/// So many updates in the order in which things happened: what became of the messages, and what some people answered.
fn updates(people: u64, count: u64) -> Vec<Value> {
    let meant: [&[&str]; 7] = [
        &["sent", "delivered", "read"],
        &["sent"],
        &["sent", "delivered"],
        &["sent", "failed"],
        &["delivered", "read", "played"],
        &["sent", "delivered", "failed", "read"],
        &["sent", "delivered", "failed"],
    ];
    let mut all = Vec::new();
    for n in 1..=people {
        let account = n % ACCOUNTS;
        let target = TargetKey {
            account: AccountId(i32::try_from(1 + account).unwrap()),
            campaign: CampaignId(1),
            referral: ReferralId(i64::try_from(n).unwrap()),
        };
        let key = MessageKey { target, day: 1 };
        // Whoever answers was reached.
        let turn = if n % 40 == 0 { 0 } else { mix(n) % 7 };
        for (minute, status) in meant[usize::try_from(turn).unwrap()].iter().enumerate() {
            let minute = i64::try_from(minute).unwrap();
            let mut update = json!({"id": format!("wamid.{n}"), "status": status, "timestamp": time(n, minute),
                                    "recipient_id": (237_670_000_000 + n).to_string(),
                                    "biz_opaque_callback_data": key.to_string(), "pricing": {"billable": true}});
            if *status == "failed" {
                update["errors"] = json!([{"code": 131_026, "title": "Message undeliverable"}]);
            }
            all.push((minute, change(account, "statuses", &update)));
        }
        if n % 40 == 0 {
            for turn in 0..=mix(n) % 4 {
                let word = ["STOP", "merci", "START"][usize::try_from(mix(n ^ turn) % 3).unwrap()];
                let minute = 5 + i64::try_from(turn).unwrap();
                let update = json!({"id": format!("in.{n}.{turn}"), "from": (237_670_000_000 + n).to_string(),
                                    "timestamp": time(n, minute), "type": "text", "text": {"body": word}});
                all.push((minute, change(account, "messages", &update)));
            }
        }
    }
    all.truncate(usize::try_from(count).unwrap());
    all.sort_by_key(|(minute, _)| *minute);
    all.into_iter().map(|(_, change)| change).collect()
}

/// The same in posts of up to 1,000.
fn posts(changes: &[Value]) -> Vec<String> {
    let (mut posts, mut rest) = (Vec::new(), changes);
    while !rest.is_empty() {
        let most =
            if posts.len() % 5 == 4 { 3 } else { 1_000 - usize::try_from(mix(posts.len() as u64) % 700).unwrap() };
        let (now, later) = rest.split_at(most.min(rest.len()));
        posts.push(json!({"object": "whatsapp_business_account", "entry": [{"id": "7", "changes": now}]}).to_string());
        rest = later;
    }
    posts
}

fn shuffled<T: Clone>(all: &[T], seed: u64) -> Vec<T> {
    let mut order: Vec<(u64, &T)> = all.iter().enumerate().map(|(n, one)| (mix(seed ^ n as u64), one)).collect();
    order.sort_by_key(|(place, _)| *place);
    order.into_iter().map(|(_, one)| one.clone()).collect()
}

/// All rows that updates may change.
async fn dump(house: &House) -> Vec<String> {
    let mut rows = Vec::new();
    for query in [
        "select m::text from message m order by 1",
        "select t::text from target t order by 1",
        "select s::text from suppression s order by 1",
        "select c::text from conversation c order by 1",
        "select concat_ws(' ', provider_id, account_id, campaign_id, referral_id, day) from provider_message order by 1",
    ] {
        rows.extend(house.world.column(query).await);
    }
    rows
}

fn assert_same(found: &[String], expected: &[String]) {
    let difference = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert_eq!(difference, None, "the first of {} rows that differs", expected.len());
    assert_eq!(found.len(), expected.len());
}

/// Posts from several sides at once while several processes receive.
async fn storm(house: &mut House, posts: &[String]) {
    let address: SocketAddr = house.address;
    let shares: Vec<Vec<String>> =
        (0..POSTERS).map(|n| posts.iter().skip(n).step_by(POSTERS).cloned().collect()).collect();
    let posting = tokio::task::spawn_blocking(move || {
        thread::scope(|scope| {
            for share in &shares {
                scope.spawn(move || {
                    for body in share {
                        assert_eq!(post(address, body.as_bytes(), SECRET).0, 200);
                    }
                });
            }
        });
    });
    let done = CancellationToken::new();
    let receivers: Vec<_> = (0..RECEIVERS)
        .map(|_| {
            let (store, posted, done) = (house.world.store().clone(), Arc::clone(&house.posted), done.clone());
            tokio::spawn(async move {
                let mut addressees = Addressees::default();
                while !done.is_cancelled() {
                    if receive(&store, &mut addressees, store.now().await.unwrap()).await.unwrap().posts == 0 {
                        done.run_until_cancelled(posted.notified()).await;
                    }
                }
            })
        })
        .collect();
    posting.await.unwrap();
    done.cancel();
    for receiver in receivers {
        receiver.await.unwrap();
    }
    house.receive().await;
    let left: i64 =
        house.world.one("select count(*) from webhook where processed_at is null or error is not null").await;
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubled_and_shuffled_they_come_to_the_same_as_in_order() {
    let count = asked(20_000);
    let people = count / 5 * 2;
    let all = updates(people, count);
    assert_eq!(all.len() as u64, count, "more people are needed");

    let mut house = fill(World::at(MONDAY).await, people).await;
    for body in posts(&all) {
        assert_eq!(post(house.address, body.as_bytes(), SECRET).0, 200);
        house.receive().await;
    }
    let in_order = dump(&house).await;
    let states: i64 = house.world.one("select count(distinct state) from message").await;
    let left: i64 = house.world.one("select count(*) from target where exit_reason = 'opted-out'").await;
    assert!(states >= 4 && left > 50, "{states} states, {left} left");

    let twice: Vec<Value> = [&all[..], &all[..]].concat();
    let twice = posts(&shuffled(&twice, 7));
    let mut house = fill(house.close().await.again(MONDAY).await, people).await;
    storm(&mut house, &twice).await;
    assert_same(&dump(&house).await, &in_order);

    // Once more, and no row is written.
    let versions = "select xmin::text || m::text from message m union all select xmin::text || t::text from target t
                    union all select xmin::text || p::text from provider_message p
                    union all select xmin::text || c::text from conversation c order by 1";
    let before = house.world.column(versions).await;
    for body in twice.iter().take(twice.len() / 4) {
        assert_eq!(post(house.address, body.as_bytes(), SECRET).0, 200);
    }
    house.receive().await;
    assert_same(&house.world.column(versions).await, &before);
    house.close().await;
}

/// Messages 1 to 10: the tenth is uncertain.
async fn ten() -> House {
    fill(World::at(MONDAY).await, 10).await
}

fn status(id: &str, key: Option<&str>, status: &str, at: &str) -> Value {
    let mut update = json!({"id": id, "status": status, "timestamp": super::seconds(at), "surprise": {"deep": [1]}});
    if let Some(key) = key {
        update["biz_opaque_callback_data"] = json!(key);
    }
    json!({"statuses": [update], "news": true})
}

async fn message(house: &House, id: i64) -> String {
    let query = format!(
        "select concat_ws(' ', state, provider_id, to_char(sent_at at time zone 'utc', 'HH24:MI'),
                          to_char(delivered_at at time zone 'utc', 'HH24:MI'), error) from message where referral_id = {id}"
    );
    house.world.one(&query).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_found_by_what_we_call_it_or_by_what_the_provider_does() {
    let mut house = ten().await;
    assert_eq!(message(&house, 10).await, "uncertain no answer");
    // What the provider calls it was never told beside what we call it.
    house.tell("messages", &status("wamid.10", None, "delivered", "2026-11-29T08:05:00Z")).await;
    assert_eq!(message(&house, 10).await, "uncertain no answer");
    house.tell("messages", &status("wamid.10", Some("relance.3.1.10.1"), "sent", "2026-11-29T08:03:00Z")).await;
    assert_eq!(message(&house, 10).await, "sent wamid.10 08:03");
    house.tell("messages", &status("wamid.10", None, "delivered", "2026-11-29T08:05:00Z")).await;
    assert_eq!(message(&house, 10).await, "delivered wamid.10 08:03 08:05");
    // Somebody else's message of the same number, and a key that nobody has.
    for (id, key) in [("wamid.x", "relance.3.1.10.1"), ("wamid.y", "relance.99.1.10.1"), ("wamid.z", "other")] {
        house.tell("messages", &status(id, Some(key), "read", "2026-11-29T08:06:00Z")).await;
    }
    assert_eq!(message(&house, 10).await, "delivered wamid.10 08:03 08:05");
    let known: Vec<String> = house.world.column("select provider_id from provider_message").await;
    assert_eq!(known, ["wamid.10"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_installations_on_one_account_each_hears_of_its_own() {
    let mut house = ten().await;
    let store = house.world.store();
    let (ours, again) = tokio::join!(store.mark(), store.mark());
    assert_eq!(ours.as_ref().unwrap(), &again.unwrap());
    let key = MessageKey {
        target: TargetKey { account: AccountId(3), campaign: CampaignId(1), referral: ReferralId(10) },
        day: 1,
    };
    let theirs = Callback::new(Mark::parse("00000000").as_ref(), key).to_string();
    house.tell("messages", &status("wamid.t", Some(&theirs), "delivered", "2026-11-29T08:05:00Z")).await;
    assert_eq!(message(&house, 10).await, "uncertain no answer");
    assert_eq!(house.world.one::<i64>("select count(*) from provider_message").await, 0);
    // Without a mark it speaks of no message that has one: it came from somebody who had none yet.
    house.world.sql("update installation set made_at = '2026-11-29Z'").await;
    let mut old = status("wamid.u", Some("relance.3.1.10.1"), "failed", "2026-11-29T08:05:00Z");
    old["statuses"][0]["errors"] = json!([{"code": 131_050, "title": "stopped"}]);
    old["statuses"][0]["recipient_id"] = json!("5511999");
    house.tell("messages", &old).await;
    assert_eq!(message(&house, 10).await, "uncertain no answer");
    let traces = "select (select count(*) from alias) + (select count(*) from suppression)
                       + (select count(*) from provider_message)";
    assert_eq!(house.world.one::<i64>(traces).await, 0);
    let ours = Callback::new(ours.as_ref().ok(), key).to_string();
    house.tell("messages", &status("wamid.o", Some(&ours), "delivered", "2026-11-29T08:05:00Z")).await;
    assert_eq!(message(&house, 10).await, "delivered wamid.o 08:05 08:05");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_update_takes_no_other_with_it_and_is_told_of() {
    let mut house = ten().await;
    let mut value = status("wamid.1", Some("relance.2.1.1.1"), "delivered", "2026-11-29T08:05:00Z");
    value["statuses"].as_array_mut().unwrap().splice(0..0, [json!({"status": "read"}), json!(7), Value::Null]);
    value["messages"] = json!("none");
    house.tell("messages", &value).await;
    assert_eq!(message(&house, 1).await, "delivered wamid.1 08:00 08:05");
    let told = house.world.column("select error from webhook where processed_at is not null").await;
    assert_eq!(told, ["a status without an `id`, or of an unknown kind"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_processed_holds_up_no_other_is_tried_again_and_kept() {
    let mut house = ten().await;
    house
        .world
        .sql("alter table message add constraint trouble check (referral_id <> 1 or state <> 'delivered')")
        .await;
    for n in 1..=3 {
        let key = format!("relance.{}.1.{n}.1", n + 1);
        house.post(&status(&format!("wamid.{n}"), Some(&key), "delivered", "2026-11-29T08:05:00Z"));
    }
    assert_eq!(house.tick().await, 3);
    for n in 2..=3 {
        assert_eq!(message(&house, n).await, format!("delivered wamid.{n} 08:00 08:05"));
    }
    let waits = "select concat_ws(' ', id, attempts, due_at at time zone 'utc', processed_at is not null) from webhook
                 where error is not null or processed_at is null";
    assert_eq!(house.world.column(waits).await, ["1 1 2026-11-30 08:00:05 f"]);
    assert_eq!(house.tick().await, 0);
    house.at("2026-11-30T08:00:05Z").await;
    assert_eq!(house.tick().await, 1);
    assert_eq!(house.world.column(waits).await, ["1 2 2026-11-30 08:00:15 f"]);
    // Nine attempts later nobody tries any more.
    for _ in 0..8 {
        house.at(&(house.world.now + TimeDelta::hours(1)).to_rfc3339()).await;
        assert_eq!(house.tick().await, 1);
    }
    assert_eq!(house.world.column(waits).await, ["1 10 f"]);
    house.at("2026-12-01T08:00:00Z").await;
    assert_eq!(house.tick().await, 0);
    let error: String = house.world.one("select error from webhook where id = 1").await;
    assert!(error.contains("trouble"), "{error}");
    // Whoever died with a post in hand leaves it to others, after a minute.
    house.post(&status("wamid.4", Some("relance.5.1.4.1"), "delivered", "2026-11-29T08:05:00Z"));
    let (store, now) = (house.world.store().clone(), house.world.now);
    assert_eq!(store.claim_webhooks(now, now + TimeDelta::minutes(1)).await.unwrap().len(), 1);
    assert_eq!(house.tick().await, 0);
    house.at("2026-12-01T08:01:00Z").await;
    assert_eq!(house.tick().await, 1);
    assert_eq!(message(&house, 4).await, "delivered wamid.4 08:00 08:05");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_posts_are_removed_after_a_week() {
    let mut house = ten().await;
    house.tell("messages", &status("wamid.1", Some("relance.2.1.1.1"), "read", "2026-11-29T08:05:00Z")).await;
    let value = json!({"event": "PAUSED", "message_template_name": "welcome", "message_template_language": "fr"});
    for _ in 0..2 {
        house.tell("message_template_status_update", &value).await;
    }
    let told = "select message from event where kind = 'provider-notice'";
    assert_eq!(house.world.column(told).await, ["wa: the template `welcome` (fr) is PAUSED"]);
    let counts = "select concat((select count(*) from webhook), ' ', (select count(*) from inbound))";
    for (now, left) in
        [("2026-12-07T08:59:00Z", "3 1"), ("2026-12-07T09:00:00Z", "0 1"), ("2027-01-05T08:00:00Z", "0 1")]
    {
        house.world.run_until(now.parse().unwrap()).await;
        assert_eq!(house.world.one::<String>(counts).await, left, "{now}");
    }
    house.close().await;
}
