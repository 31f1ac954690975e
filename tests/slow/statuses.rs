//! What becomes of messages, told by many posts at once, twice and in any order.
//!
//! There are some 20,000 updates, or as many as are asked for:
//!
//! ```sh
//! RELANCE_WEBHOOK_UPDATES=100000 cargo test --test slow statuses
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use chrono::TimeDelta;
use relance::core::domain::{AccountId, CampaignId, MessageKey, ReferralId, TargetKey, Timestamp, mix};
use relance::daemon::{SenderDirectory, receive};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::house::{ACCOUNTS, House, MONDAY, SECRET, fill, post};
use crate::support::world::World;

/// Posts that arrive at once, and processes that work on them.
const POSTERS: usize = 6;
const RECEIVERS: usize = 3;

fn asked(usual: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "another run is asked for by hand")]
    std::env::var("RELANCE_WEBHOOK_UPDATES").map_or(usual, |number| number.parse().unwrap())
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
        // A failure that overtakes `delivered` takes effect, and one that follows does not: their order matters.
        &["sent", "delivered", "read", "played"],
        &["sent", "delivered", "played"],
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
                let mut sender_directory = SenderDirectory::default();
                while !done.is_cancelled() {
                    if receive(&store, &mut sender_directory, store.now().await.unwrap()).await.unwrap().posts == 0 {
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
    let left: i64 = house.world.count("webhook where processed_at is null or error is not null").await;
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicated_and_shuffled_statuses_give_the_same_result() {
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
    let left = house.world.count("target where exit_reason = 'opted-out'").await;
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
