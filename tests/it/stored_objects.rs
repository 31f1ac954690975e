//! Stored objects that cannot be used: each stops itself and what needs it, and nothing else.

use chrono::TimeDelta;
use relance::daemon::reconcile::{By, Outcome};
use relance::store::Speed;
use serde_json::Value;

use crate::estimate::folder;
use crate::get::relancectl;
use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::{World, sources};

/// Two campaigns, each with an account, a person and a sequence of its own. Day 1 has gone out.
async fn world() -> World {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    for (account, phone) in [("a1", "+237671000001"), ("a2", "+237671000002")] {
        world.account(account).await;
        world.person(Person { account, ..Person::new(&format!("r{}", &account[1..]), phone) }).await;
    }
    world.apply(&files("", "")).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(world.runs().await, ["broken a1 active running", "sound a2 active running"]);
    assert_eq!(world.channel.delivered().len(), 2);
    world
}

/// The files, with more fields for each of the campaigns.
fn files(broken: &str, sound: &str) -> String {
    let spec = |account: &str, more: &str| format!("accounts: {{names: [{account}]}}, {ALWAYS}{more}");
    let campaigns = [("broken", spec("a1", broken)), ("sound", spec("a2", sound))];
    let yaml = tree(3, NO_PACE, &campaigns.each_ref().map(|(name, spec)| (*name, spec.as_str())));
    // Each has its own sequence.
    let (shared, rest) = yaml.split_once("---\n").unwrap().1.split_once("---\n").unwrap();
    let own = |name: &str| shared.replace("name: days", &format!("name: {name}-days"));
    let rest = rest.replacen("sequenceRef: days", "sequenceRef: broken-days", 1);
    let rest = rest.replacen("sequenceRef: days", "sequenceRef: sound-days", 1);
    let defaults = yaml.split_once("---\n").unwrap().0;
    format!("{defaults}---\n{}---\n{}---\n{rest}", own("broken"), own("sound"))
}

/// The statements that damage a stored object, each with the object that it names and a part of the reason.
const DAMAGES: [(&str, &str, &str); 5] = [
    (
        "update manifest set body = body || '{\"zeal\": {\"of\": 1}}' where kind = 'Campaign' and name = 'broken'",
        "Campaign `broken`",
        "this version does not know its field `zeal`",
    ),
    (
        "update manifest set format = 99 where kind = 'Campaign' and name = 'broken'",
        "Campaign `broken`",
        "its format is 99, and this version reads format 1",
    ),
    (
        "update manifest set body = jsonb_set(body, '{priority}', '1e400') where kind = 'Campaign' and name = 'broken'",
        "Campaign `broken`",
        "number out of range",
    ),
    (
        "update manifest set body = '7' where kind = 'Sequence' and name = 'broken-days'",
        "Sequence `broken-days`",
        "invalid type: integer `7`",
    ),
    (
        "update manifest set body = jsonb_set(body, '{days,2,text,fr}', '\"{{ name\"') where name = 'broken-days'",
        "Sequence `broken-days`",
        "day 2 does not compile",
    ),
];

/// A world after the damage, whose daemon was started again.
async fn damaged(damage: &str) -> World {
    let mut world = world().await;
    world.sql(damage).await;
    world.sql("update generation set desired = desired + 1").await;
    world.restart();
    world.settle().await;
    world
}

/// Everything that is stored of the desired state.
async fn stored(world: &World) -> Vec<String> {
    world.column("select m::text from manifest m where name like 'broken%' order by kind, name").await
}

#[tokio::test]
async fn a_damaged_object_pauses_only_its_own_campaign() {
    for (damage, object, why) in DAMAGES {
        let mut world = damaged(damage).await;
        world.person(Person { account: "a2", ..Person::new("r3", "+237671000003") }).await;
        let before = stored(&world).await;
        world.run_for(TimeDelta::days(1)).await;
        // Nothing of the damaged campaign left, and all of the other one did.
        let runs = world.runs().await;
        let reason = if object.starts_with("Campaign") { "frozen" } else { "template-error" };
        assert_eq!(runs, [format!("broken a1 paused {reason}"), "sound a2 active running".to_owned()], "{damage}");
        let paused = world.sentences("select detail from run where phase = 'paused'").await;
        assert!(paused[0].contains(object) && paused[0].contains(why), "{paused:?}");
        let phones: Vec<String> = world.channel.delivered().into_iter().map(|(phone, _)| phone).collect();
        assert_eq!(phones.iter().filter(|phone| *phone == "+237671000001").count(), 1, "{damage}: {phones:?}");
        assert!(phones.iter().filter(|phone| *phone == "+237671000003").count() >= 1, "{phones:?}");

        // The daemon reconciles the rest, and neither replaces nor removes what it cannot use.
        let mut passes = vec![(files("", ""), false), (files("", ", priority: 7"), true)];
        // A campaign that can be read may be removed, whatever its sequence is.
        if object.starts_with("Campaign") {
            passes.push((without(&files("", ", priority: 7")), false));
        }
        passes.push((files("", ", priority: 8"), true));
        for (yaml, applied) in passes {
            let pass = world.reconcile(&sources(&yaml), By::Daemon).await;
            assert_eq!(matches!(pass.outcome, Outcome::Applied { .. }), applied, "{damage}: {:?}", pass.outcome);
            assert_eq!(matches!(pass.outcome, Outcome::InSync), !applied, "{damage}: {:?}", pass.outcome);
            assert!(pass.complaint().contains("is frozen"), "{}", pass.complaint());
            world.settle().await;
        }
        assert_eq!(stored(&world).await, before);
        let told = "select count(*) from event where kind = 'manifest-frozen'";
        assert!(world.one::<i64>(told).await >= 1);

        // A new version of the files replaces it, and the campaign goes on where it stood.
        let healed = files(", priority: 5", ", priority: 8").replacen("Jour 3", "Jour trois", 1);
        let pass = world.reconcile(&sources(&healed), By::Daemon).await;
        assert!(matches!(pass.outcome, Outcome::Applied { .. }), "{damage}: {:?}", pass.outcome);
        assert_eq!(pass.complaint(), "");
        world.run_for(TimeDelta::days(4)).await;
        assert_eq!(world.runs().await, ["broken a1 completed drained", "sound a2 completed drained"], "{damage}");
        let texts: Vec<String> = world.channel.delivered().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts.iter().filter(|text| text.starts_with("Jour trois")).count(), 1, "{texts:?}");
        let again = world.reconcile(&sources(&healed), By::Daemon).await;
        assert!(matches!(again.outcome, Outcome::InSync), "{:?}", again.outcome);
    }
}

/// The files without the damaged campaign and its sequence.
fn without(yaml: &str) -> String {
    let documents = yaml.split("---\n");
    documents.filter(|document| !document.contains("name: broken")).collect::<Vec<_>>().join("---\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_report_frozen_objects_and_still_succeed() {
    for (damage, object, why) in DAMAGES {
        let world = damaged(damage).await;
        let url = world.url();
        world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
        let ran = |args: &[&str]| {
            let (text, error, code) = relancectl(&url, args);
            assert_eq!(code, Some(0), "{damage}: {args:?}: {error}");
            text
        };
        for noun in ["campaigns", "runs"] {
            let rows: Value = serde_json::from_str(&ran(&["get", noun, "-o", "json"])).unwrap();
            let frozen = |at: usize| rows[at]["frozen"].as_str();
            assert!(frozen(0).unwrap().contains(object) && frozen(0).unwrap().contains(why), "{rows}");
            assert_eq!((rows.as_array().unwrap().len(), frozen(1)), (2, None));
            let text = ran(&["get", noun]);
            assert!(text.contains("Frozen, since") && text.contains(object), "{text}");
        }
        for args in [
            &["get", "targets"][..],
            &["get", "messages"],
            &["get", "accounts"],
            &["get", "revisions"],
            &["describe", "run", "broken", "a1"],
            &["describe", "account", "a1"],
            &["describe", "revision", "1"],
            &["explain", "target", "sound/a2/r2"],
            &["explain", "target", "broken/a1/r1"],
            &["log"],
            &["log", "--campaign", "broken"],
        ] {
            ran(args);
        }
        assert!(ran(&["describe", "campaign", "broken"]).contains(why));

        let same = folder(&files("", ""));
        let dir = same.path().to_str().unwrap();
        let plan: Value = serde_json::from_str(&ran(&["plan", "--dir", dir, "-o", "json"])).unwrap();
        assert_eq!(plan["changes"], Value::Array(Vec::new()), "{plan:#}");
        let frozen = plan["frozen"].as_array().unwrap();
        let damaged = frozen.iter().find(|one| object.ends_with(&format!("`{}`", one["name"].as_str().unwrap())));
        let damaged = damaged.unwrap_or_else(|| panic!("{plan:#}"));
        assert_eq!((&damaged["unusable"], &damaged["in_force"]), (&true.into(), &false.into()));
        assert!(damaged["why"][0].as_str().unwrap().contains(why), "{plan:#}");
        assert!(damaged["why"][1].as_str().unwrap().contains("change the manifest"), "{plan:#}");
        assert!(frozen.iter().any(|one| one["name"] == "broken") && !frozen.iter().any(|one| one["name"] == "sound"));
        let text = ran(&["plan", "--dir", dir, "--detailed-exitcode"]);
        assert!(text.contains("What is stored cannot be used") && text.contains(object), "{text}");

        // `apply` does the rest, names what it left, and leaves with 1. A new version heals.
        let edited = folder(&files("", ", priority: 7"));
        let (text, error, code) = relancectl(&url, &["apply", "--dir", edited.path().to_str().unwrap()]);
        assert_eq!(code, Some(1), "{text}{error}");
        assert!(text.contains("Campaign sound") && error.contains(object), "{text}{error}");
        let healed = folder(&files(", priority: 5", ", priority: 7").replacen("Jour 3", "Jour trois", 1));
        let dir = healed.path().to_str().unwrap();
        let (text, _, code) = relancectl(&url, &["plan", "--dir", dir, "--detailed-exitcode"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("Campaign broken") && text.contains("Sequence broken-days"), "{text}");
        ran(&["apply", "--dir", dir]);
        assert!(!ran(&["get", "runs"]).contains("Frozen, since"));
        assert!(ran(&["get", "runs", "-o", "json"]).contains("\"running\""));
    }
}

#[tokio::test]
async fn accounts_with_an_unreadable_policy_wait_while_others_send() {
    let mut world = world().await;
    let account = "---
apiVersion: relance/v1
kind: Account
metadata: {name: careful}
spec: {accounts: {names: [a1]}, limits: {messagesPerDay: 1}}
";
    world.apply(&(files("", "") + account)).await;
    world.sql("update manifest set body = body || '{\"budget\": 1}' where kind = 'Account'").await;
    world.sql("update generation set desired = desired + 1").await;
    world.restart();
    let before = world.channel.delivered().len();
    world.run_for(TimeDelta::days(4)).await;
    let phones: Vec<String> = world.channel.delivered().into_iter().skip(before).map(|(phone, _)| phone).collect();
    assert_eq!(phones, ["+237671000002"; 2]);
    let pass = world.reconcile(&sources(&(files("", "") + account)), By::Daemon).await;
    assert!(matches!(pass.outcome, Outcome::InSync), "{:?}", pass.outcome);
    assert!(pass.complaint().contains("the Account `careful` is frozen"), "{}", pass.complaint());
    // Without its manifest it stays, since nobody knows what it forbids; a new version takes its place.
    let pass = world.reconcile(&sources(&files("", "")), By::Daemon).await;
    assert!(matches!(pass.outcome, Outcome::InSync), "{:?}", pass.outcome);
    let healed = account.replace("messagesPerDay: 1", "messagesPerDay: 2");
    world.apply(&(files("", "") + &healed)).await;
    world.run_for(TimeDelta::days(4)).await;
    assert_eq!(world.runs().await, ["broken a1 completed drained", "sound a2 completed drained"]);
}

#[tokio::test]
async fn campaigns_queued_behind_an_unreadable_one_keep_waiting() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    world.person(Person::new("r1", "+237671000001")).await;
    let second = format!("{ALWAYS}, runAfter: first");
    let campaigns = [("first", ALWAYS), ("second", second.as_str())];
    world.apply(&tree(3, NO_PACE, &campaigns)).await;
    world.settle().await;
    let waits = ["first a1 active running", "second a1 scheduled queued-behind"];
    assert_eq!(world.runs().await, waits);
    world.sql("update manifest set format = 99 where name = 'first'").await;
    world.sql("update generation set desired = desired + 1").await;
    world.restart();
    world.run_for(TimeDelta::days(9)).await;
    assert_eq!(world.runs().await, ["first a1 paused frozen", "second a1 scheduled queued-behind"]);
}

#[tokio::test]
async fn rows_of_unknown_kinds_and_names_change_nothing() {
    let mut world = world().await;
    world
        .sql(
            "insert into manifest (kind, name, format, body, source, revision_id)
             select k, n, 1, '{}', '', max(id) from revision, (values ('Budget', 'b'), ('Campaign', 'Not A Name')) v (k, n)
             group by 1, 2",
        )
        .await;
    let pass = world.reconcile(&sources(&files("", "")), By::Daemon).await;
    assert!(matches!(pass.outcome, Outcome::InSync), "{:?}", pass.outcome);
    let mut unknown = world.store().in_force().await.unwrap().unknown;
    unknown.sort_unstable();
    assert_eq!(unknown, ["Budget `b`", "Campaign `Not A Name`"]);
    world.run_for(TimeDelta::days(5)).await;
    assert_eq!(world.runs().await, ["broken a1 completed drained", "sound a2 completed drained"]);
}
