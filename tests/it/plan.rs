//! `plan` in people: what a change means for the days ahead, and that it happens so.

use chrono::TimeDelta;
use relance::core::domain::Timestamp;
use relance::store::Speed;
use serde_json::{Value, json};

use crate::estimate::{folder, run, world};
use crate::get::relancectl;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::World;

/// The text with the digest of the plan taken out: it is another one whenever manifests learn something.
pub(crate) fn nameless(text: &str) -> String {
    let (_, rest) = text.rsplit_once("Plan ").unwrap();
    let (digest, _) = rest.split_once(':').unwrap();
    assert_eq!(digest.len(), 16, "{digest}");
    text.replace(digest, "DIGEST")
}

async fn plan(world: &World, yaml: &str, args: &[&str]) -> String {
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let folder = folder(yaml);
    let (text, error, code) =
        relancectl(&world.url(), &[&["plan", "--dir", folder.path().to_str().unwrap()], args].concat());
    assert_eq!((error.as_str(), code), ("", Some(0)), "{text}");
    text
}

async fn read(world: &World, yaml: &str) -> Value {
    serde_json::from_str(&plan(world, yaml, &["-o", "json"]).await).unwrap()
}

const CAPPED: &str = "limits: {messagesPerDay: 10}, pacing: {every: 0s, jitter: 0s}";

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_the_delays_caused_by_a_higher_priority_campaign() {
    let mut world = world(40, "update account set subscription_ends_at = '2026-12-12T00:00Z'").await;
    world.apply(&tree(3, CAPPED, &[("slow", "priority: 50")])).await;
    world.settle().await;
    let edit = tree(3, CAPPED, &[("slow", "priority: 50"), ("sooner", "priority: 5")]);
    insta::assert_snapshot!(nameless(&plan(&world, &edit, &[]).await));

    let seen = read(&world, &edit).await;
    let effect = &seen["changes"][0]["effect"];
    assert_eq!(
        (&effect["accounts"], &effect["enroll"], &effect["messages_per_day"]),
        (&json!(1), &json!(40), &json!(10))
    );
    // Of the subscription nothing is foreseen but that it ends too early.
    world.subscriptions_end(None).await;
    world.apply(&edit).await;
    world.settle().await;
    assert_eq!(run(&world, "sooner")["enrolled"], effect["enroll"]);
    world.run_for(TimeDelta::days(30)).await;
    let day = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap().date_naive();
    assert_eq!(day(&run(&world, "sooner")["finished_at"]), day(&effect["finish_at"]));
    assert_eq!(day(&run(&world, "slow")["finished_at"]), day(&seen["slips"][0]["after"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_outlives_the_subscription_waits_while_others_start() {
    let mut world = world(40, "update account set subscription_ends_at = '2026-12-10T00:00Z'").await;
    let yaml = tree(3, CAPPED, &[("short", "priority: 5, limits: {targets: 10}"), ("sooner", "priority: 50")]);
    insta::assert_snapshot!(nameless(&plan(&world, &yaml, &[]).await));
    world.apply(&yaml).await;
    world.settle().await;
    assert_eq!(world.runs().await, ["short a1 active running", "sooner a1 scheduled outlives-subscription"]);
    // Renewed, it begins.
    world.subscriptions_end(Some("2027-12-10T00:00Z")).await;
    world.facts_changed().await;
    world.settle().await;
    assert_eq!(world.runs().await, ["short a1 active running", "sooner a1 active running"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_or_cancelled_campaign_frees_quota_for_others() {
    let mut world = world(40, "select 1").await;
    world.apply(&tree(3, CAPPED, &[("slow", "priority: 50"), ("sooner", "priority: 5")])).await;
    world.run_for(TimeDelta::days(2)).await;
    for (spec, effect) in [
        (
            "priority: 5, state: cancelled",
            json!({"accounts": 1, "exit": 40, "messages_per_day": null, "finish_at": null}),
        ),
        ("priority: 5, state: paused", json!({"accounts": 1, "exit": 0, "messages_per_day": null, "finish_at": null})),
    ] {
        let seen = read(&world, &tree(3, CAPPED, &[("slow", "priority: 50"), ("sooner", spec)])).await;
        let found = &seen["changes"][0]["effect"];
        for (field, value) in effect.as_object().unwrap() {
            assert_eq!(&found[field], value, "{spec}: {field}");
        }
        let slip = &seen["slips"][0];
        assert_eq!(slip["campaign"], "slow");
        assert!(slip["after"].as_str() < slip["before"].as_str(), "{slip}");
    }
    // A word changes nobody's day.
    let reworded =
        tree(3, CAPPED, &[("slow", "priority: 50"), ("sooner", "priority: 5")]).replace("Jour 3.", "Jour trois.");
    let seen = read(&world, &reworded).await;
    assert_eq!((&seen["changes"][0]["kind"], &seen["slips"]), (&json!("Sequence"), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_why_a_run_never_ends() {
    let world = world(5, "update account set whatsapp_status = 'disconnected'").await;
    let endless = tree(1, NO_PACE, &[("for-ever", "enrollment: continuous"), ("soon", "state: paused")]);
    insta::assert_snapshot!(nameless(&plan(&world, &endless, &[]).await), @"
    + create  Defaults defaults
    + create  Sequence days
    + create  Campaign for-ever
          1 account, 1 run does not end: the account is not connected
    + create  Campaign soon
          1 account

    Plan DIGEST: 4 to create.
    ");
}
