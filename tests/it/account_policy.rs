//! What `Account` manifests say of some accounts: it counts at once, for them and for nobody else, and everybody who
//! looks is told.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use relance::channel::{Channel, Channels, Open, Outcome};
use relance::core::dispatch::OutgoingMessage;
use relance::core::domain::{ReferralId, Timestamp};
use relance::core::manifest::desired::Channel as Spec;
use relance::daemon::enroll;
use relance::facts::{Source, import};
use relance::store::{Age, Speed};
use serde_json::{Value, json};

use crate::estimate::folder;
use crate::get::relancectl;
use crate::plan::nameless;
use crate::support::facts::Person;
use crate::support::rows::column;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";

fn account(name: &str, spec: &str) -> String {
    format!("---\napiVersion: relance/v1\nkind: Account\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

/// Three days for all accounts at any hour, and more manifests.
fn campaign(defaults: &str, more: &[String]) -> String {
    tree(3, defaults, &[("c", ALWAYS)]) + &more.concat()
}

/// Accounts `a1` and `a2` of `people` each; nothing is in force.
async fn world(people: usize) -> World {
    let world = World::at(MONDAY).await;
    for account in ["a1", "a2"] {
        world.account(account).await;
        for n in 1..=people {
            let (id, phone) = (format!("{account}-{n}"), format!("+2376710{}{n:04}", &account[1..]));
            world.person(Person { account, ..Person::new(&id, &phone) }).await;
        }
    }
    world
}

/// The export says these extra columns of an account.
async fn label(world: &World, account: &str, plan: &str) {
    let file = format!("id,name,timezone,plan\n{account},Aminata,Africa/Douala,{plan}\n");
    let source = Source::stream("test", Cursor::new(file.into_bytes()));
    let age = Age { as_of: world.now, now: world.now };
    let report = import::accounts(world.store(), source, age).await.unwrap();
    assert!(report.rejected.is_empty(), "{report:?}");
}

/// How many messages left for each account.
async fn sent(world: &World) -> Vec<i64> {
    column(
        world.pool(),
        "select (select count(*) from message m where m.account_id = a.id and m.state = 'sent') from account a order by id",
    )
    .await
}

fn run(world: &World, args: &[&str]) -> String {
    let (text, error, code) = relancectl(&world.url(), args);
    assert_eq!((error.as_str(), code), ("", Some(0)), "{text}");
    text
}

#[tokio::test]
async fn an_imported_label_change_takes_effect_at_once() {
    let mut world = world(2).await;
    let trial = account("trial", "accounts: {matchLabels: {plan: trial}}, sending: off, enrollment: off");
    label(&world, "a1", "trial").await;
    world.apply(&campaign(NO_PACE, &[trial])).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(sent(&world).await, [0, 2]);
    assert_eq!(world.runs().await, ["c a1 active sending-off", "c a2 active running"]);

    label(&world, "a1", "gold").await;
    world.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(sent(&world).await, [2, 2]);
    label(&world, "a2", "trial").await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(sent(&world).await, [6, 2]);
    assert_eq!(world.runs().await, ["c a1 completed drained", "c a2 active sending-off"]);
}

#[tokio::test]
async fn a_slow_pace_ends_when_its_label_is_removed() {
    let mut world = world(3).await;
    label(&world, "a1", "slow").await;
    let slow = account("slow", "accounts: {matchLabels: {plan: slow}}, pacing: {every: 10h, jitter: 0s}");
    let fast = "pacing: {every: 1m, jitter: 0s}";
    world.apply(&campaign(fast, std::slice::from_ref(&slow))).await;
    world.run_for(TimeDelta::hours(2)).await;
    assert_eq!(sent(&world).await, [1, 3]);
    label(&world, "a1", "none").await;
    world.settle().await;
    assert_eq!(sent(&world).await, [1, 3]);
    // One interval of the new pace, not the ten hours of the old one.
    world.run_for(TimeDelta::minutes(2)).await;
    assert_eq!(sent(&world).await, [3, 3]);
}

#[tokio::test]
async fn an_account_edit_wakes_only_accounts_matched_before_or_after_it() {
    let mut world = world(1).await;
    world.account("a3").await;
    world.person(Person { account: "a3", ..Person::new("a3-1", "+237671030001") }).await;
    let caps = |names: &str, cap: u32| {
        account("few", &format!("accounts: {{names: [{names}]}}, limits: {{messagesPerDay: {cap}}}"))
    };
    world.apply(&campaign(NO_PACE, &[caps("a1", 5)])).await;
    world.run_for(TimeDelta::hours(1)).await;
    let looked = async |world: &World| {
        world
            .column(
                "select concat_ws(' ', a.external_id, l.wake_at, r.check_at, r.enroll_at, r.passes) from lane l
                 join account a on a.id = l.account_id join run r on r.account_id = a.id order by 1",
            )
            .await
    };
    let changed = async |world: &mut World, yaml: String| {
        let before = looked(world).await;
        world.now += TimeDelta::minutes(1);
        world.apply(&yaml).await;
        let after = looked(world).await;
        before.iter().zip(&after).map(|(before, after)| before != after).collect::<Vec<_>>()
    };
    assert_eq!(changed(&mut world, campaign(NO_PACE, &[caps("a2", 5)])).await, [true, true, false]);
    assert_eq!(changed(&mut world, campaign(NO_PACE, &[caps("a2", 4)])).await, [false, true, false]);
    assert_eq!(changed(&mut world, campaign(NO_PACE, &[])).await, [false, true, false]);
    // What holds for all concerns all.
    let all = format!("{NO_PACE}, limits: {{messagesPerDay: 9}}");
    assert_eq!(changed(&mut world, campaign(&all, &[])).await, [true, true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_estimates_apply_each_account_policy() {
    let mut world = world(4).await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let quiet = account("quiet", "accounts: {names: [a1]}, enrollment: off");
    let slow = account("slow", "accounts: {names: [a2]}, limits: {messagesPerDay: 1}");
    let yaml = campaign(NO_PACE, &[quiet, slow]);
    let dir = folder(&yaml);
    let path = dir.path().to_str().unwrap();

    let estimate: Value = serde_json::from_str(&run(&world, &["estimate", "--dir", path, "c", "-o", "json"])).unwrap();
    assert_eq!(estimate["matching"], 4);
    assert_eq!(estimate["not_matching"], json!([{"reason": "enrollment-off", "people": 4}]));
    assert_eq!(estimate["never"], json!([{"reason": "enrollment-off", "runs": 1}]));
    // Four people, three days, one message a day.
    assert_eq!((&estimate["messages"], &estimate["days"]), (&json!(12), &json!(12)));

    assert_eq!(world.would_enroll(&yaml).await, 4);
    let first = run(&world, &["plan", "--dir", path]);
    world.apply(&yaml).await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    assert!(run(&world, &["plan", "--dir", path]).starts_with("No changes."));
    let edited =
        campaign(NO_PACE, &[account("slow", "accounts: {names: [a1, a2]}, limits: {messagesPerDay: 2}, sending: off")]);
    fs::write(dir.path().join("tree.yaml"), edited).unwrap();
    let second = run(&world, &["plan", "--dir", path]);
    insta::assert_snapshot!([nameless(&first), nameless(&second)].join("\n\n"));

    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 active enrollment-off", "c a2 active running"]);
    assert_eq!(world.targets().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn describe_and_explain_show_an_account_policy_and_its_sources() {
    let mut world = world(1).await;
    label(&world, "a1", "gold").await;
    let gold = account(
        "gold",
        "accounts: {matchLabels: {plan: gold}}, limits: {messagesPerDay: 7}, pacing: {waves: [{messages: 5, every: 1m, pauseAfter: 1h}]}",
    );
    let holiday = account("holiday", "accounts: {names: [a1]}, sending: off");
    world.apply(&campaign(NO_PACE, &[gold.clone(), holiday])).await;
    world.run_for(TimeDelta::hours(1)).await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let account_told = run(&world, &["describe", "account", "a1"]);
    let target = run(&world, &["explain", "target", "c/a1/a1-1"]);
    let row: Value = serde_json::from_str(&run(&world, &["get", "accounts", "--account", "a1", "-o", "json"])).unwrap();
    assert_eq!((&row[0]["messages_per_day"], &row[0]["sending"]), (&json!(7), &json!("off")));
    // Whoever is not in it: why not.
    world.apply(&campaign(NO_PACE, &[gold, account("holiday", "accounts: {names: [a1]}, enrollment: off")])).await;
    world.person(Person::new("late", "+237671990001")).await;
    world.settle().await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let referral = run(&world, &["explain", "referral", "late"]);
    insta::assert_snapshot!([account_told, target, referral].join("\n\n=====\n\n"));
}

/// Notes which channel was handed what.
#[derive(Debug)]
struct Noting(&'static str, Arc<Mutex<BTreeMap<ReferralId, &'static str>>>);

#[async_trait]
impl Channel for Noting {
    async fn hand_over(&self, messages: &[OutgoingMessage], _: Timestamp) -> Vec<Outcome> {
        let mut noted = self.1.lock().unwrap();
        noted.extend(messages.iter().map(|message| (message.key.target.referral, self.0)));
        messages.iter().map(|_| Outcome::accepted(String::new())).collect()
    }
}

/// Which channel `a1-1` and `a2-1` are written to by, when channels have so many seconds of latency.
async fn channels(defaults: &str, own: &str, account: &str) -> [&'static str; 2] {
    let mut world = world(1).await;
    let channel = |name: &str, latency: u32| {
        format!(
            "---\napiVersion: relance/v1\nkind: Channel\nmetadata: {{name: {name}}}\nspec: {{type: sandbox, latency: {latency}s}}\n"
        )
    };
    let all = [("common", 1), ("of-account", 2), ("of-campaign", 3)].map(|(name, latency)| channel(name, latency));
    let yaml = tree(3, &format!("{NO_PACE}{defaults}"), &[("c", &format!("{ALWAYS}{own}"))]) + &all.concat() + account;
    world.apply(&yaml).await;
    // Everybody is enrolled, and nobody written to yet.
    let (program, _) = world.program().await;
    enroll(world.store(), &program, world.now).await.unwrap();
    world.now += TimeDelta::minutes(1);
    let noted = Arc::new(Mutex::new(BTreeMap::new()));
    let shared = Arc::clone(&noted);
    let open: Open = Arc::new(move |spec| {
        let name = match spec {
            None => "sandbox",
            Some(Spec::Sandbox { latency }) => match latency.as_seconds() {
                1 => "common",
                2 => "account",
                _ => "campaign",
            },
            Some(Spec::WhatsappCloud(_) | Spec::Http(_) | Spec::Smtp(_)) => "elsewhere",
        };
        Arc::new(Noting(name, Arc::clone(&shared)))
    });
    let desired = world.store().in_force().await.unwrap().desired;
    let claim = world.claim(1_000).await;
    let opened = Channels::open(&desired.channels, &open);
    assert_eq!(opened.hand_over(&claim.messages, world.now).await.len(), 2);
    let noted = noted.lock().unwrap();
    [1, 2].map(|id| noted[&ReferralId(id)])
}

#[tokio::test]
async fn the_campaign_channel_wins_over_the_account_channel_and_the_default() {
    let one = account("one", "accounts: {names: [a1]}, channelRef: of-account, sender: '4711'");
    let (common, own) = (", channelRef: common", ", channelRef: of-campaign");
    assert_eq!(channels("", "", "").await, ["sandbox", "sandbox"]);
    assert_eq!(channels(common, "", "").await, ["common", "common"]);
    assert_eq!(channels("", "", &one).await, ["account", "sandbox"]);
    assert_eq!(channels(common, "", &one).await, ["account", "common"]);
    assert_eq!(channels(common, own, &one).await, ["campaign", "campaign"]);
}

#[tokio::test]
async fn an_edit_of_the_defaults_moves_one_batch_of_runs_on_and_leaves_the_others_to_the_daemon() {
    let mut world = World::at(MONDAY).await;
    world
        .sql(
            "insert into account (external_id, name, language, country, timezone, as_of)
             select 'a' || n, 'Aminata', 'fr', 'CM', 'Africa/Douala', '2026-11-01Z' from generate_series(1, 2100) n",
        )
        .await;
    world.apply(&campaign(NO_PACE, &[])).await;
    world.settle().await;
    let due = "run where check_at <= '2026-11-30T08:00:00Z'";
    assert_eq!(world.count(due).await, 0);
    world.apply(&campaign(&format!("{NO_PACE}, limits: {{messagesPerDay: 7}}"), &[])).await;
    assert_eq!((world.count("run").await, world.count(due).await), (2_100, 100));
    world.settle().await;
    assert_eq!(world.count(due).await, 0);
}
