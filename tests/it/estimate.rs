//! What `estimate` says is what happens: whom enrollment takes, how long it lasts, who waits.

use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use relance::core::domain::Timestamp;
use relance::store::Speed;
use serde_json::{Value, json};

use crate::get::relancectl;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";

/// People of `a1`, the newest first; `edit` changes some of them.
pub(crate) async fn world(people: usize, edit: &str) -> World {
    let world = World::at(MONDAY).await;
    world.account("a1").await;
    world
        .sql(&format!(
            "insert into referral (account_id, external_id, name, phone, language, country, registered_at, consent,
                                   as_of, is_current)
             select 1, 'r' || n, 'Person ' || n, '+237671' || lpad(n::text, 6, '0'), 'fr', 'CM',
                    '2026-11-29T12:00Z'::timestamptz - n * interval '1 minute', 'opted_in', '2026-01-01Z', true
             from generate_series(1, {people}) n"
        ))
        .await;
    world.sql(edit).await;
    world
}

/// A folder with `yaml`.
pub(crate) fn folder(yaml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tree.yaml"), yaml).unwrap();
    folder
}

/// What `estimate` prints, as of the world's instant.
async fn estimate(world: &World, dir: &Path, args: &[&str]) -> String {
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let (text, error, code) = relancectl(&world.url(), &[&["estimate", "--dir", dir.to_str().unwrap()], args].concat());
    assert_eq!((error.as_str(), code), ("", Some(0)), "{text}");
    text
}

async fn read(world: &World, dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&estimate(world, dir, &[args, &["-o", "json"]].concat()).await).unwrap()
}

/// `get runs -o json` of one campaign.
pub(crate) fn run(world: &World, campaign: &str) -> Value {
    let (text, ..) = relancectl(&world.url(), &["get", "runs", "--campaign", campaign, "-o", "json"]);
    serde_json::from_str::<Value>(&text).unwrap()[0].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_of_seventy_days_matches_the_real_run() {
    let mut world = world(520, "update referral set paid_at = '2026-11-29T12:00Z' where id <= 20").await;
    let yaml = tree(7, NO_PACE, &[("autumn", "limits: {messagesPerDay: 50}")]);
    let folder = folder(&yaml);
    let text = estimate(&world, folder.path(), &["autumn", "--sample", "2"]).await;
    assert!(text.contains("500 people × 7 messages at 50 a day: 70 days."), "{text}");
    insta::assert_snapshot!(text);

    let estimate = read(&world, folder.path(), &["autumn"]).await;
    world.apply(&yaml).await;
    world.settle().await;
    let begun = run(&world, "autumn");
    assert_eq!((&estimate["matching"], &estimate["enrolled"]), (&json!(500), &json!(500)));
    assert_eq!(begun["enrolled"], estimate["matching"]);
    world.run_for(TimeDelta::days(80)).await;
    let over = run(&world, "autumn");
    assert_eq!((&over["completed"], &over["sent"]), (&json!(500), &estimate["messages"]));
    let day = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap().date_naive();
    assert_eq!(day(&over["finished_at"]), day(&estimate["finish_at"]));
    let days: i64 =
        world.one("select count(distinct (queued_at at time zone 'Africa/Douala')::date) from message").await;
    assert_eq!(estimate["days"], json!(days));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_gives_a_reason_for_each_person_not_enrolled() {
    let edit = "update referral set paid_at = '2026-11-29T12:00Z' where id in (1, 2);
                update referral set consent = null where id = 3;
                update referral set consent = 'opted_out' where id = 4;
                update referral set country = 'SN' where id in (5, 6, 7);
                update referral set registered_at = '2026-11-30T07:30Z' where id = 8";
    let mut world = world(30, "select 1").await;
    for statement in edit.split(';') {
        world.sql(statement).await;
    }
    world
        .sql("insert into suppression (phone, source, suppressed_at) values ('+237671000009', 'reply', '2026-01-01Z')")
        .await;
    let spec = "enrollAfter: 1h, filter: {countries: [CM]}, limits: {targets: 15}";
    world.apply(&tree(3, NO_PACE, &[("other", "priority: 1"), ("c", "state: draft")])).await;
    world.settle().await;
    let yaml = tree(3, NO_PACE, &[("other", "priority: 1"), ("c", &format!("{spec}, state: draft"))]);
    let folder = folder(&yaml);
    insta::assert_snapshot!(estimate(&world, folder.path(), &["c"]).await);

    let estimate = read(&world, folder.path(), &["c"]).await;
    let others = estimate["not_matching"].as_array().unwrap().iter().map(|other| other["people"].as_u64().unwrap());
    assert_eq!(estimate["matching"].as_u64().unwrap() + others.sum::<u64>(), 30);
    // The draft, once it is active.
    world.apply(&yaml.replace(", state: draft", "")).await;
    world.settle().await;
    assert_eq!(run(&world, "c")["enrolled"], estimate["matching"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_campaign_file_is_estimated_beside_the_current_tree() {
    let mut world = world(40, "update account set subscription_ends_at = '2026-12-12T00:00Z'").await;
    let defaults = "limits: {messagesPerDay: 10}, pacing: {every: 0s, jitter: 0s}";
    let now = tree(3, defaults, &[("slow", "priority: 50, accounts: all")]);
    world.apply(&now).await;
    world.settle().await;
    let tree = folder(&now);
    let file = tree.path().join("../relance-estimate-sooner.yaml");
    let sooner = "apiVersion: relance/v1\nkind: Campaign\nmetadata: {name: sooner}\nspec: {type: filtered, sequenceRef: days, priority: 5}\n";
    fs::write(&file, sooner).unwrap();
    let path = file.to_str().unwrap();
    let text = estimate(&world, tree.path(), &["-f", path, "--sample", "0"]).await;
    fs::remove_file(&file).unwrap();
    insta::assert_snapshot!(text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_estimate_fails_with_a_hint() {
    let world = world(1, "select 1").await;
    let two = folder(&tree(1, NO_PACE, &[("one", "priority: 1"), ("two", "state: cancelled")]));
    let broken = folder(&tree(1, NO_PACE, &[("one", "priority: many")]));
    let said = |args: &[&str], dir: &tempfile::TempDir| {
        let dir = dir.path().to_str().unwrap();
        let (_, error, code) = relancectl(&world.url(), &[&["estimate", "--dir", dir], args].concat());
        (error.replace(dir, "DIR"), code)
    };
    let file = two.path().join("tree.yaml");
    let path = file.to_str().unwrap();
    for (args, words) in [
        (&["on"][..], "did you mean `one`?"),
        (&["two"], "`two` is `cancelled`, which is for ever"),
        (&["-f", path], "has more than one campaign; name the one you mean"),
        (&["-f", "nowhere.yaml"], "cannot read `nowhere.yaml`"),
        (&[], "<CAMPAIGN>"),
    ] {
        let (error, code) = said(args, &two);
        assert!(error.contains(words) && code == Some(2), "{args:?}: {error}");
    }
    let (error, code) = said(&["one"], &broken);
    assert!(error.contains("nothing is estimated: the files have errors") && code == Some(1), "{error}");
}
