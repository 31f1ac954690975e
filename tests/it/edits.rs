//! What an edit does to campaigns that are under way.

use chrono::TimeDelta;

use crate::accidents::tree;
use crate::support::facts::Person;
use crate::support::world::World;

/// Two accounts with three people each, all of them enrolled and none written to yet.
async fn world() -> World {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    for account in ["a1", "a2"] {
        world.account(account).await;
        for n in 0..3 {
            let (id, phone) = (format!("{account}-{n}"), format!("+2376710{}00{n}", &account[1..]));
            world.person(Person { account, ..Person::new(&id, &phone) }).await;
        }
    }
    world.apply(&tree("")).await;
    world.settle().await;
    world
}

#[tokio::test]
async fn a_paused_campaign_sends_nothing_from_runs_not_yet_updated() {
    let mut world = world().await;
    world.apply(&tree("").replace("state: active", "state: paused")).await;
    // As after a plan over more runs than one batch moves on.
    world.sql("update run set phase = 'active', reason = 'running', check_at = null, enroll_at = null").await;
    world.now += TimeDelta::hours(7);
    world.sql("update lane set wake_at = '2026-11-30T15:00:00Z'").await;
    world.settle().await;
    assert_eq!(world.channel.delivered().len(), 0);
}

#[tokio::test]
async fn a_narrowed_selector_pauses_accounts_and_a_wider_one_resumes_them() {
    let mut world = world().await;
    world.apply(&tree("").replace("accounts: all", "accounts: {names: [a1]}")).await;
    world.run_for(TimeDelta::hours(10)).await;
    assert_eq!(world.runs().await, ["welcome a1 active running", "welcome a2 paused manifest"]);
    assert_eq!(world.channel.delivered().len(), 3);
    world.apply(&tree("")).await;
    world.run_for(TimeDelta::days(4)).await;
    assert_eq!(world.runs().await, ["welcome a1 completed drained", "welcome a2 completed drained"]);
    assert_eq!(world.channel.delivered().len(), 12);
}

#[tokio::test]
async fn a_faster_pace_takes_effect_while_a_slower_one_waits() {
    let mut world = world().await;
    world.apply(&tree("").replace("{every: 0s, jitter: 0s}", "{every: 30d, jitter: 0s}")).await;
    world.run_for(TimeDelta::hours(7)).await;
    assert_eq!(world.channel.delivered().len(), 2, "one for each account");
    world.apply(&tree("").replace("{every: 0s, jitter: 0s}", "{every: 1m, jitter: 0s}")).await;
    world.run_for(TimeDelta::minutes(5)).await;
    assert_eq!(world.channel.delivered().len(), 6);
}

#[tokio::test]
async fn a_text_with_a_nul_byte_pauses_only_its_own_run() {
    let mut world = world().await;
    let broken = tree("")
        .replace("Bonjour {{ name }}, jour 1.", "Bonjour {% if name == \"Paul\" %}{{ \"\\x00\" }}{% endif %}, jour 1.");
    let sound = tree("").rsplit("---\n").next().unwrap().replace("name: welcome", "name: other");
    let sound = sound.replace("sequenceRef: two-days", "sequenceRef: other");
    let sequence = tree("").split("---\n").nth(1).unwrap().replace("name: two-days", "name: other");
    world.apply(&format!("{broken}---\n{sequence}---\n{sound}")).await;
    world.run_for(TimeDelta::hours(12)).await;
    let runs = world.runs().await;
    assert!(runs.contains(&"welcome a1 paused template-error".to_owned()), "{runs:?}");
    assert!(runs.contains(&"other a1 active running".to_owned()), "{runs:?}");
    assert_eq!(world.channel.delivered().len(), 6);
}

#[tokio::test]
async fn a_widened_filter_is_searched_before_a_drained_run_completes() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    world.person(Person::new("r1", "+237671000001")).await;
    world.apply(&tree("").replace("subscription: unpaid", "countries: [SN]").replace("active", "draft")).await;
    world.settle().await;
    // A pass found nobody, nobody is active, and in one commit the filter is widened and the campaign started.
    world.sql("update run set passes = 1, last_pass_found = 0").await;
    world.apply(&tree("")).await;
    world.run_for(TimeDelta::hours(12)).await;
    assert_eq!(world.channel.delivered().len(), 1);
}

#[tokio::test]
async fn a_restored_campaign_enrolls_nobody_twice() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    assert_eq!(world.channel.delivered().len(), 6);
    // A revert, and the revert of the revert.
    let without = tree("").rsplit_once("---\n").unwrap().0.to_owned();
    world.apply(&without).await;
    world.run_for(TimeDelta::hours(1)).await;
    world.person(Person::new("new", "+237671000099")).await;
    assert_eq!(world.would_enroll(&tree("")).await, 1, "the plan counts only who was never in it");
    world.apply(&tree("")).await;
    world.run_for(TimeDelta::days(5)).await;
    let to_others = world.channel.delivered().iter().filter(|(phone, _)| phone != "+237671000099").count();
    assert_eq!(to_others, 6);
    assert_eq!(world.channel.delivered().len(), 8);
}
