//! Forecasts know the subscription's end, the next pass and people who are busy elsewhere.

use chrono::TimeDelta;
use relance::store::Speed;
use serde_json::{Value, json};

use crate::estimate::{folder, run};
use crate::get::relancectl;
use crate::support::facts::Person;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";

async fn world(people: u32) -> World {
    let world = World::at(MONDAY).await;
    world.account("a1").await;
    for n in 1..=people {
        world.person(Person::new(&format!("r{n}"), &format!("+23767100000{n}"))).await;
    }
    world
}

async fn estimate(world: &World, yaml: &str, campaign: &str) -> (String, Value) {
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let dir = folder(yaml);
    let args = ["estimate", campaign, "--dir", dir.path().to_str().unwrap()];
    let (text, error, _) = relancectl(&world.url(), &args);
    assert_eq!(error, "", "{text}");
    let (json, ..) = relancectl(&world.url(), &[&args[..], &["-o", "json"]].concat());
    (text, serde_json::from_str(&json).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_that_accept_the_end_of_the_subscription_stop_there_in_forecasts_too() {
    for (name, spec, replaced) in
        [("c", "priority: 90", Some("type: default, sequenceRef: days")), ("c", "pastSubscription: pause", None)]
    {
        let mut world = world(2).await;
        world.subscriptions_end(Some("2026-12-02T12:00Z")).await;
        let yaml = tree(7, NO_PACE, &[(name, spec)]);
        let yaml = match replaced {
            Some(text) => yaml.replace("type: filtered, sequenceRef: days, priority: 90", text),
            None => yaml,
        };
        let (text, foreseen) = estimate(&world, &yaml, "c").await;
        assert!(text.contains("c for a1: paid until 2026-12-02") && text.contains("will pause"), "{text}");
        assert_eq!(foreseen["finish_at"], Value::Null, "{spec}");
        world.apply(&yaml).await;
        world.run_for(TimeDelta::days(20)).await;
        let run = run(&world, "c");
        assert_eq!((&run["phase"], &run["reason"]), (&json!("paused"), &json!("subscription-expired")), "{spec}");
        assert_eq!(foreseen["messages"], run["sent"], "{spec}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_not_drained_while_its_people_are_only_busy_elsewhere() {
    for filter in ["excludeCurrentTargets: true", "age: {max: 60}, excludeCurrentTargets: true"] {
        let mut world = world(2).await;
        world.sql("update referral set birth_date = '1990-01-01'").await;
        // The older registration is in `first` for two days.
        world.sql("update referral set country = 'SN' where external_id = 'r2'").await;
        let yaml = tree(2, NO_PACE, &[("first", "filter: {countries: [SN]}")]);
        world.apply(&yaml).await;
        world.settle().await;
        let both =
            tree(2, NO_PACE, &[("first", "filter: {countries: [SN]}"), ("second", &format!("filter: {{{filter}}}"))]);
        let (_, foreseen) = estimate(&world, &both, "second").await;
        assert_eq!(foreseen["enrolled"], 2, "{filter}");
        world.apply(&both).await;
        world.run_for(TimeDelta::days(12)).await;
        let run = run(&world, "second");
        assert_eq!((&run["enrolled"], &run["phase"]), (&json!(2), &json!("completed")), "{filter}");
        let minute = |value: &Value| value.as_str().unwrap()[..16].to_owned();
        assert_eq!(minute(&foreseen["finish_at"]), minute(&run["finished_at"]), "{filter}");
    }
}

#[tokio::test]
async fn a_campaign_whose_last_people_are_busy_lets_the_default_campaign_finish_with_them() {
    let mut world = world(2).await;
    let usual = ("usual", "priority: 90");
    let default = |yaml: String| {
        yaml.replace("type: filtered, sequenceRef: days, priority: 90", "type: default, sequenceRef: days")
    };
    world.apply(&default(tree(2, NO_PACE, &[usual]))).await;
    world.settle().await;
    world.person(Person::new("r3", "+237671000003")).await;
    let fair = ("fair", "filter: {excludeCurrentTargets: true}");
    world.apply(&default(tree(2, NO_PACE, &[fair, usual]))).await;
    world.run_for(TimeDelta::days(20)).await;
    assert!(world.runs().await.contains(&"fair a1 completed drained".to_owned()), "{:?}", world.runs().await);
    let targets = world.targets().await;
    for id in ["r1", "r2", "r3"] {
        for campaign in ["fair", "usual"] {
            assert!(targets.contains(&format!("{id} {campaign} completed day 2")), "{id} {campaign}: {targets:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_target_knows_what_begins_before_the_message_is_due_and_who_goes_first() {
    let mut world = world(2).await;
    let later = ("later", "schedule: {startAt: '2026-11-30T10:00:00Z', firstAfter: 1h}, limits: {messagesPerDay: 1}");
    let yaml = tree(1, NO_PACE, &[later, ("usual", "priority: 90")])
        .replace("type: filtered, sequenceRef: days, priority: 90", "type: default, sequenceRef: days");
    world.apply(&yaml).await;
    world.settle().await;
    let explained = async |world: &World, id: &str| -> Value {
        world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
        let (json, error, _) = relancectl(&world.url(), &["explain", "target", id, "-o", "json"]);
        assert_eq!(error, "");
        serde_json::from_str::<Value>(&json).unwrap()["answer"].take()
    };
    let answer = explained(&world, "usual/a1/r1").await;
    let sentence = answer["sentence"].as_str().unwrap();
    assert!(sentence.contains("as foreseen it goes out") && sentence.contains("makes way for `later`"), "{sentence}");
    let earliest: chrono::DateTime<chrono::Utc> = answer["earliest"].as_str().unwrap().parse().unwrap();
    world.run_for(TimeDelta::days(10)).await;
    let left: chrono::DateTime<chrono::Utc> = world
        .one(
            "select m.queued_at from message m join campaign c on c.id = m.campaign_id
             join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id)
             where c.name = 'usual' and r.external_id = 'r1'",
        )
        .await;
    assert!((left - earliest).abs() < TimeDelta::minutes(5), "{left} {earliest}");

    // With one message a day for everybody, the second person waits for the first.
    let mut world = self::world(3).await;
    world
        .apply(&tree(1, "limits: {messagesPerDay: 1}, pacing: {every: 0s, jitter: 0s}", &[("c", "priority: 5")]))
        .await;
    world.settle().await;
    let sentences: Vec<String> = {
        let mut all = Vec::new();
        for id in ["c/a1/r1", "c/a1/r2", "c/a1/r3"] {
            all.push(explained(&world, id).await["sentence"].to_string());
        }
        all
    };
    let first = |text: &str| sentences.iter().filter(|sentence| sentence.contains(text)).count();
    assert_eq!((first("1 message goes first"), first("2 messages go first")), (1, 1), "{sentences:#?}");
}
