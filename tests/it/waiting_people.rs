//! Filtered runs begin with their first person, completed ones are reopened by people alone, and payers leave at once.

use std::fs;

use chrono::TimeDelta;
use relance::core::domain::CampaignId;
use relance::core::domain::{AccountId, ReferralId};
use relance::core::lifecycle::overrides::{Action, Override, Scope};
use relance::store::{FactEvent, Speed};
use serde_json::Value;

use crate::estimate::folder;
use crate::get::relancectl;
use crate::support::facts::Person;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";

/// `r1` of Cameroon, and an account without anybody else.
async fn world() -> World {
    let world = World::at(MONDAY).await;
    world.account("a1").await;
    world.person(Person::new("r1", "+237671000001")).await;
    world
}

/// Somebody of Senegal.
async fn senegalese(world: &World, id: &str, phone: &str) {
    world.person(Person::new(id, phone)).await;
    world.sql(&format!("update referral set country = 'SN' where external_id = '{id}'")).await;
}

/// The filtered campaigns, and the default campaign `usual`.
fn beside_default(campaigns: &[(&str, &str)]) -> String {
    let all: Vec<(&str, &str)> = campaigns.iter().copied().chain([("usual", "priority: 90")]).collect();
    tree(2, NO_PACE, &all)
        .replace("type: filtered, sequenceRef: days, priority: 90", "type: default, sequenceRef: days")
}

/// How often the log says that a run of the campaign took this phase.
async fn became(world: &World, campaign: &str, phase: &str) -> i64 {
    world
        .count(&format!(
            "event e join campaign c on c.id = e.campaign_id where c.name = '{campaign}' and e.after = '{phase}'"
        ))
        .await
}

async fn clock(world: &World) {
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
}

async fn typed(world: &World, args: &[&str]) -> String {
    clock(world).await;
    let (out, error, _) = relancectl(&world.url(), args);
    out + &error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_campaign_waits_for_its_first_person_and_is_in_nobodys_way() {
    let mut world = world().await;
    let yaml = beside_default(&[("fair", "filter: {countries: [SN]}")]);
    let dir = folder(&yaml);
    let plan = typed(&world, &["plan", "--dir", dir.path().to_str().unwrap()]).await;
    assert!(plan.contains("it matches nobody"), "{plan}");
    world.apply(&yaml).await;
    world.run_for(TimeDelta::days(20)).await;
    let runs = world.runs().await;
    assert!(runs.contains(&"fair a1 scheduled waiting-for-people".to_owned()), "{runs:?}");
    assert_eq!(world.channel.delivered().len(), 2, "the default campaign goes on");
    assert_eq!((became(&world, "fair", "active").await, became(&world, "usual", "paused").await), (0, 0));
    let get = typed(&world, &["get", "runs"]).await;
    assert!(get.contains("waiting-for-people"), "{get}");
    let described = typed(&world, &["describe", "run", "fair", "a1"]).await;
    assert!(described.contains("matches nobody yet"), "{described}");

    senegalese(&world, "r2", "+221771000002").await;
    world.facts_changed().await;
    world.settle().await;
    assert!(world.runs().await.contains(&"fair a1 active running".to_owned()), "{:?}", world.runs().await);
    world.run_for(TimeDelta::days(5)).await;
    let runs = world.runs().await;
    assert!(runs.contains(&"fair a1 completed drained".to_owned()), "{runs:?}");
    assert!(world.targets().await.contains(&"r2 fair completed day 2".to_owned()));
}

#[tokio::test]
async fn an_edit_that_finds_somebody_lets_a_waiting_campaign_begin_at_once() {
    for (enrollment, ends) in [("untilDrained", true), ("once", true), ("continuous", false)] {
        let mut world = world().await;
        let spec = |country| format!("enrollment: {enrollment}, filter: {{countries: [{country}]}}");
        world.apply(&tree(2, NO_PACE, &[("c", &spec("SN"))])).await;
        world.run_for(TimeDelta::days(3)).await;
        assert_eq!(world.runs().await, ["c a1 scheduled waiting-for-people"], "{enrollment}");
        world.apply(&tree(2, NO_PACE, &[("c", &spec("CM"))])).await;
        world.settle().await;
        assert_eq!(world.runs().await, ["c a1 active running"], "{enrollment}");
        world.run_for(TimeDelta::days(5)).await;
        assert_eq!(world.targets().await, ["r1 c completed day 2"], "{enrollment}");
        assert_eq!(world.runs().await == ["c a1 completed drained"], ends, "{enrollment}");
    }
}

#[tokio::test]
async fn a_queue_goes_past_a_campaign_without_people_which_then_takes_its_turn() {
    let mut world = world().await;
    let queue = "---\napiVersion: relance/v1\nkind: Queue\nmetadata: {name: q}\nspec: {campaigns: [a, b, c]}\n";
    let yaml =
        tree(2, NO_PACE, &[("a", "filter: {countries: [SN]}"), ("b", "priority: 5"), ("c", "priority: 7")]) + queue;
    world.apply(&yaml).await;
    world.settle().await;
    let runs = world.runs().await;
    assert_eq!(runs, ["a a1 scheduled waiting-for-people", "b a1 active running", "c a1 scheduled queued-behind"]);
    // Its person comes while another campaign of the queue is under way.
    senegalese(&world, "r2", "+221771000002").await;
    world.facts_changed().await;
    world.settle().await;
    assert_eq!(world.runs().await[0], "a a1 scheduled queued-behind");
    world.run_for(TimeDelta::days(30)).await;
    let all = world.runs().await;
    assert_eq!(all, ["a a1 completed drained", "b a1 completed drained", "c a1 completed drained"]);
    let begun: Vec<String> =
        world.column("select c.name from run r join campaign c on c.id = r.campaign_id order by r.started_at").await;
    assert_eq!(begun, ["b", "a", "c"]);
}

#[tokio::test]
async fn time_alone_lets_a_waiting_campaign_begin_when_it_makes_somebody_match() {
    // The person registered minutes ago; has a birthday tomorrow; is in another campaign until tomorrow.
    let cases = [
        ("enrollAfter: 3h, filter: {countries: [CM]}", "registered_at = '2026-11-30T07:00Z'", "2026-11-30T10:01:00Z"),
        ("filter: {age: {min: 18}}", "birth_date = '2008-12-01'", "2026-11-30T23:01:00Z"),
    ];
    for (spec, person, begins) in cases {
        let mut world = world().await;
        world.sql(&format!("update referral set {person}")).await;
        world.apply(&tree(1, NO_PACE, &[("c", spec)])).await;
        world.run_until(begins.parse().unwrap()).await;
        assert_eq!(world.runs().await, ["c a1 active running"], "{spec}");
        let started: chrono::DateTime<chrono::Utc> = world.one("select started_at from run").await;
        let begins: chrono::DateTime<chrono::Utc> = begins.parse().unwrap();
        assert!(started >= begins - TimeDelta::minutes(2), "{spec}: {started}");
    }
}

#[tokio::test]
async fn a_run_whose_only_person_is_gone_before_the_first_pass_waits_instead_of_ending() {
    let mut world = world().await;
    world.apply(&tree(2, NO_PACE, &[("c", "priority: 5")])).await;
    assert_eq!(world.runs().await, ["c a1 active running"]);
    world.pay("r1", MONDAY).await;
    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 scheduled waiting-for-people"]);
    world.person(Person::new("r2", "+237671000002")).await;
    world.run_for(TimeDelta::days(4)).await;
    assert_eq!(world.targets().await, ["r2 c completed day 2"]);
    assert_eq!(world.runs().await, ["c a1 completed drained"]);
}

#[tokio::test]
async fn an_order_to_start_begins_no_run_without_people_and_one_to_cancel_ends_it() {
    let mut world = world().await;
    world.apply(&tree(2, NO_PACE, &[("c", "filter: {countries: [SN]}")])).await;
    let order = |action| Override {
        scope: Scope::Campaign(CampaignId(1)),
        action,
        actor: "maria".to_owned(),
        reason: "a fair".to_owned(),
        until: None,
    };
    world.order(&order(Action::Start)).await;
    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 scheduled waiting-for-people"]);
    world.order(&order(Action::Cancel)).await;
    assert_eq!(world.runs().await, ["c a1 cancelled operator"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_completed_campaign_reaches_nobody_and_a_reopened_one_takes_the_new_people_only() {
    let mut world = world().await;
    world.apply(&tree(1, NO_PACE, &[("c", "filter: {countries: [CM]}")])).await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.runs().await, ["c a1 completed drained"]);
    senegalese(&world, "r2", "+221771000002").await;
    let wider = tree(1, NO_PACE, &[("c", "filter: {countries: [CM, SN]}")]);
    let dir = folder(&wider);
    let plan = typed(&world, &["plan", "--dir", dir.path().to_str().unwrap()]).await;
    assert!(plan.contains("its runs are over: this edit reaches nobody"), "{plan}");
    world.apply(&wider).await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.targets().await, ["r1 c completed day 1"]);
    let why = typed(&world, &["explain", "referral", "r2"]).await;
    assert!(why.contains("the run is completed") && why.contains("relancectl reopen c --account a1"), "{why}");
    let json: Value = serde_json::from_str(&typed(&world, &["explain", "referral", "r2", "-o", "json"]).await).unwrap();
    assert_eq!(json["campaigns"][0]["enrollment"]["why_not"][0], "run-over", "{json:#}");

    let said = typed(&world, &["reopen", "c", "--account", "a1", "--reason", "Senegal too", "--actor", "maria"]).await;
    assert!(said.contains("Reopened `c` for account `a1`: 1 run.") && said.contains("1 run is active"), "{said}");
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(world.targets().await, ["r1 c completed day 1", "r2 c completed day 1"]);
    assert_eq!(world.channel.delivered().len(), 2, "people who were in it stay out");
    let log = typed(&world, &["log", "--campaign", "c"]).await;
    assert!(log.contains("reopened by maria: Senegal too"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reopening_says_why_it_cannot() {
    let mut world = world().await;
    let reopen = ["reopen", "c", "--reason", "more", "--actor", "maria"];
    world.apply(&tree(3, NO_PACE, &[("c", "filter: {countries: [CM]}")])).await;
    world.settle().await;
    let active = typed(&world, &reopen).await;
    assert!(active.contains("`c` cannot be reopened: no run of it is completed"), "{active}");
    let ended = "schedule: {endAt: '2026-12-01T00:00:00Z'}";
    world.apply(&tree(3, NO_PACE, &[("c", ended)])).await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.runs().await, ["c a1 completed ended"]);
    let past = typed(&world, &reopen).await;
    assert!(past.contains("its `endAt` has passed"), "{past}");
    // Nobody new matches, so the reopened run waits for people.
    world.apply(&tree(3, NO_PACE, &[("c", "filter: {countries: [CM]}")])).await;
    let waits = typed(&world, &reopen).await;
    assert!(waits.contains("1 run is scheduled (waiting-for-people)"), "{waits}");
    let json: Value = serde_json::from_str(&typed(&world, &["get", "runs", "-o", "json"]).await).unwrap();
    assert_eq!(json[0]["reason"], "waiting-for-people");
}

#[tokio::test]
async fn people_who_paid_leave_when_the_payment_is_recorded_whatever_their_run_does() {
    for spec in ["priority: 5", "priority: 5, state: paused", "exitOnPaid: false"] {
        let mut world = world().await;
        world.person(Person::new("r2", "+237671000002")).await;
        world.apply(&tree(3, NO_PACE, &[("c", "exitOnPaid: true")])).await;
        world.run_for(TimeDelta::hours(12)).await;
        world.apply(&tree(3, NO_PACE, &[("c", spec)])).await;
        let paid = FactEvent::Paid { account: AccountId(1), referral: ReferralId(1), at: world.now };
        world.store().record(&[paid], world.now).await.unwrap();
        let stays = spec.contains("false");
        let r1 = if stays { "r1 c active day 2" } else { "r1 c exited paid day 2" };
        assert_eq!(world.targets().await, [r1, "r2 c active day 2"], "{spec}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_lets_payers_leave_at_once_and_the_run_completes_without_waiting_for_their_day() {
    let mut world = world().await;
    world.apply(&tree(2, NO_PACE, &[("c", "schedule: {firstAfter: 1h, every: 30d}")])).await;
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.targets().await, ["r1 c active day 2"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("r.csv");
    fs::write(
        &file,
        "id,account_id,name,phone,country,registered_at,consent,paid_at\n\
         r1,a1,Paul,+237671000001,CM,2026-11-20T10:00:00Z,opted_in,2026-12-01T07:00:00Z\n",
    )
    .unwrap();
    let said = typed(&world, &["import", "referrals", file.to_str().unwrap()]).await;
    assert_eq!(world.targets().await, ["r1 c exited paid day 2"], "{said}");
    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 completed drained"]);
}
