//! Edits reach people under way when they come into force, or the plan says that they do not.

use chrono::TimeDelta;
use relance::store::Speed;
use serde_json::Value;

use crate::estimate::folder;
use crate::get::relancectl;
use crate::support::facts::Person;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::{Fault, World};

const MONDAY: &str = "2026-11-30T08:00:00Z";
const CAMPAIGN: &str = "schedule: {firstAfter: 1h, windows: [{from: '00:00', to: '24:00'}]}";

async fn world() -> World {
    let world = World::at(MONDAY).await;
    world.account("a1").await;
    for n in 1..=2 {
        world.person(Person::new(&format!("r{n}"), &format!("+23767100000{n}"))).await;
    }
    world
}

async fn plan(world: &World, yaml: &str) -> (String, Value) {
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let dir = folder(yaml);
    let args = ["plan", "--dir", dir.path().to_str().unwrap()];
    let (text, error, _) = relancectl(&world.url(), &args);
    assert_eq!(error, "", "{text}");
    let (json, ..) = relancectl(&world.url(), &[&args[..], &["-o", "json"]].concat());
    (text, serde_json::from_str(&json).unwrap())
}

/// When each person waits for which day.
async fn due(world: &World) -> Vec<String> {
    world
        .column(
            "select concat_ws(' ', r.external_id, t.day, to_char(t.due_at at time zone 'UTC', 'MM-DD HH24:MI'))
             from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
             where t.state = 'active' order by 1",
        )
        .await
}

fn days(days: &[&str]) -> String {
    let line = |(at, day): (usize, &&str)| format!("    - {{day: {}, {day}}}\n", at + 1);
    let lines: Vec<String> = days.iter().enumerate().map(line).collect();
    let whole = tree(0, NO_PACE, &[("c", CAMPAIGN)]);
    whole.replace("  days:\n", &format!("  days:\n{}", lines.concat()))
}

const ONE: &str = "text: {fr: 'Premier. {{ optOutHint }}'}";
const TWO: &str = "text: {fr: 'Deuxième.'}";
const THREE: &str = "text: {fr: 'Troisième.'}";

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_wait_counts_from_the_last_message_for_everybody_who_waits() {
    let mut world = world().await;
    let late = format!("after: 30d, {THREE}");
    world.apply(&days(&[ONE, TWO, &late])).await;
    world.run_for(TimeDelta::hours(30)).await;
    assert_eq!(due(&world).await, ["r1 3 12-31 09:00", "r2 3 12-31 09:00"]);
    let sooner = format!("after: 3d, {THREE}");
    let (text, json) = plan(&world, &days(&[ONE, TWO, &sooner])).await;
    assert!(text.contains("2 people who wait get the next message at another time"), "{text}");
    assert_eq!(json["changes"][0]["effect"]["due_again"], 2);
    world.apply(&days(&[ONE, TWO, &sooner])).await;
    assert_eq!(due(&world).await, ["r1 3 12-04 09:00", "r2 3 12-04 09:00"]);
    // A wait that is over by now makes the message due at once, and one that is longer puts it off.
    world.run_for(TimeDelta::days(2)).await;
    world.apply(&days(&[ONE, TWO, &format!("after: 1h, {THREE}")])).await;
    world.settle().await;
    assert_eq!(world.channel.delivered().len(), 6);
}

#[tokio::test]
async fn every_and_first_after_reach_people_who_wait_for_the_first_day_or_a_later_one() {
    let mut world = world().await;
    let with = |schedule: &str| days(&[ONE, TWO, THREE]).replace("firstAfter: 1h", schedule);
    world.apply(&with("firstAfter: 10h")).await;
    world.settle().await;
    assert_eq!(due(&world).await, ["r1 1 11-30 18:00", "r2 1 11-30 18:00"]);
    world.apply(&with("firstAfter: 2h")).await;
    assert_eq!(due(&world).await, ["r1 1 11-30 10:00", "r2 1 11-30 10:00"]);
    world.run_for(TimeDelta::hours(3)).await;
    assert_eq!(due(&world).await, ["r1 2 12-01 10:00", "r2 2 12-01 10:00"]);
    world.apply(&with("firstAfter: 2h, every: 72h")).await;
    assert_eq!(due(&world).await, ["r1 2 12-03 10:00", "r2 2 12-03 10:00"]);
    // An edit of something else leaves everybody where they are.
    world.sql("update target set due_at = '2026-12-05T00:00Z'").await;
    world.apply(&with("firstAfter: 2h, every: 72h").replace("Troisième", "Encore")).await;
    assert_eq!(due(&world).await, ["r1 2 12-05 00:00", "r2 2 12-05 00:00"]);
}

#[tokio::test]
async fn a_message_that_is_tried_again_keeps_its_instant_when_waits_change() {
    let mut world = world().await;
    world.channel.fail("+237671000001", &[Fault::Busy]);
    world.apply(&days(&[ONE, TWO])).await;
    world.run_until("2026-11-30T09:00:30Z".parse().unwrap()).await;
    let before = due(&world).await;
    assert!(before[0].starts_with("r1 1 11-30"), "{before:?}");
    world.apply(&days(&[ONE, TWO]).replace("firstAfter: 1h", "firstAfter: 48h, every: 12h")).await;
    assert_eq!(due(&world).await, [before[0].as_str(), "r2 2 11-30 21:00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_whose_days_are_taken_away_complete_at_once_and_free_the_queue() {
    let mut world = world().await;
    let queue = "---\napiVersion: relance/v1\nkind: Queue\nmetadata: {name: q}\nspec: {campaigns: [c, next]}\n\
                 ---\napiVersion: relance/v1\nkind: Campaign\nmetadata: {name: next}\n\
                 spec: {type: filtered, sequenceRef: days}\n";
    let long = days(&[ONE, TWO, &format!("after: 30d, {THREE}")]) + queue;
    world.apply(&long).await;
    world.run_for(TimeDelta::hours(30)).await;
    assert_eq!(world.runs().await, ["c a1 active running", "next a1 scheduled queued-behind"]);
    let short = days(&[ONE, TWO]) + queue;
    let (text, json) = plan(&world, &short).await;
    assert!(text.contains("2 people have no day left and complete now"), "{text}");
    assert_eq!(json["changes"][0]["effect"]["complete"], 2);
    world.apply(&short).await;
    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 completed drained", "next a1 active running"]);
    let of_c: Vec<String> = world.targets().await.into_iter().filter(|target| target.contains(" c ")).collect();
    assert_eq!(of_c, ["r1 c completed day 3", "r2 c completed day 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_moves_after_the_begin_says_that_it_changes_nothing_and_an_end_in_the_past_counts_exits() {
    let mut world = world().await;
    world.apply(&days(&[ONE, TWO, THREE])).await;
    world.run_for(TimeDelta::hours(2)).await;
    let with = |key: &str| days(&[ONE, TWO, THREE]).replace("firstAfter: 1h", &format!("firstAfter: 1h, {key}"));
    let (text, json) = plan(&world, &with("startAt: '2028-01-01T00:00:00Z'")).await;
    assert!(text.contains("1 run has begun: `startAt` changes nothing for it, pause it instead"), "{text}");
    assert_eq!(json["changes"][0]["effect"]["begun"], 1);
    let (text, json) = plan(&world, &with("endAt: '2026-11-01T00:00:00Z'")).await;
    assert!(text.contains("2 people leave"), "{text}");
    assert_eq!(json["changes"][0]["effect"]["exit"], 2);
    world.apply(&with("endAt: '2026-11-01T00:00:00Z'")).await;
    assert_eq!(world.targets().await, ["r1 c exited expired day 2", "r2 c exited expired day 2"]);
    // A start ahead of a run that has not begun is no such case, nor is an end to come.
    let (text, _) = plan(&world, &with("endAt: '2027-01-01T00:00:00Z'")).await;
    assert!(!text.contains("leave") && text.contains("its runs are over"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_put_in_between_says_how_many_read_a_text_again() {
    let mut world = world().await;
    world.apply(&days(&[ONE, TWO, THREE])).await;
    world.run_for(TimeDelta::hours(30)).await;
    let new = "text: {fr: 'Nouveau.'}";
    let (text, json) = plan(&world, &days(&[ONE, new, TWO, THREE])).await;
    assert!(text.contains("2 people read a text again that they have had"), "{text}");
    assert_eq!(json["changes"][0]["effect"]["read_again"], 2);
    // A day at the end, or a better text, repeats nothing.
    for fine in [days(&[ONE, TWO, THREE, new]), days(&[ONE, TWO, new])] {
        let (text, json) = plan(&world, &fine).await;
        assert!(!text.contains("again"), "{text}");
        assert_eq!(json["changes"][0]["effect"]["read_again"], 0);
    }
}
