//! `explain target` and `explain referral` as somebody types them: what they say is what production does.

use chrono::TimeDelta;
use relance::core::domain::Timestamp;
use relance::store::Speed;
use serde_json::Value;

use crate::accidents::tree;
use crate::get::relancectl;
use crate::support::facts::Person;
use crate::support::world::{Fault, World};

const MONDAY: &str = "2026-11-30T08:00:00Z";

/// One account, `r1` and `r2`, and `yaml` in force.
async fn world(yaml: &str) -> World {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    for n in 1..=2 {
        world.person(Person::new(&format!("r{n}"), &format!("+23767100000{n}"))).await;
    }
    world.sql("update referral set consent_at = '2026-11-20T10:01Z', consent_source = 'form'").await;
    world.apply(yaml).await;
    world.settle().await;
    world
}

/// Standard output of `explain`, as of the world's instant.
async fn explain(world: &World, args: &[&str]) -> String {
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let (text, error, code) = relancectl(&world.url(), &[&["explain"], args].concat());
    assert_eq!((error.as_str(), code), ("", Some(0)));
    text
}

async fn target(world: &World, id: &str) -> String {
    explain(world, &["target", id]).await
}

async fn json(world: &World, id: &str) -> Value {
    serde_json::from_str(&explain(world, &["target", id, "-o", "json"]).await).unwrap()
}

/// Moves to an instant without doing anything meanwhile, and looks.
fn at(world: &mut World, instant: &str) {
    world.now = instant.parse().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_when_the_send_window_opens() {
    let yaml =
        tree("  schedule: {windows: [{days: [mon, tue, wed, thu, fri], from: '08:00', to: '20:00'}], firstAfter: 36h}");
    let mut world = world(&yaml).await;
    at(&mut world, "2026-12-04T20:14:00Z");
    insta::assert_snapshot!(target(&world, "welcome/a1/r1").await);
    let before = json(&world, "welcome/a1/r1").await;
    let next: Timestamp = before["answer"]["next"]["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(before["answer"]["verdict"], "hold");
    // Nothing before that instant, and the message at it.
    world.run_until(next - TimeDelta::seconds(1)).await;
    assert_eq!(world.messages().await.len(), 0);
    world.run_until(next).await;
    assert_eq!(world.messages().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_predicts_the_gate_verdict_at_the_due_time() {
    let world = world(&tree("")).await;
    insta::assert_snapshot!(target(&world, "welcome/a1/r1").await);
    // What is known now decides what is said of then.
    let sentence = async |world: &World| json(world, "welcome/a1/r1").await["answer"]["sentence"].to_string();
    world.sql("update referral set paid_at = '2026-11-30T07:00Z'").await;
    assert!(sentence(&world).await.contains("the person leaves instead, because the person has paid"));
    world.sql("update referral set paid_at = null").await;
    world.sql("update target set due_at = '2026-11-30T22:00Z'").await;
    assert!(sentence(&world).await.contains("held then until 2026-12-01 07:00 (in 23h): it is outside the hours"));
    world.subscriptions_end(Some("2026-11-30T21:00Z")).await;
    let json = json(&world, "welcome/a1/r1").await;
    assert_eq!(
        (&json["answer"]["verdict"], &json["answer"]["next"]["what"]),
        (&"not-due".into(), &"the subscription of the account ends".into())
    );
    assert!(sentence(&world).await.contains("held then: the account's subscription has ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_a_reached_cap_and_its_reset() {
    let two =
        tree("  limits: {messagesPerDay: 1}").replace("spec: {pacing", "spec: {limits: {messagesPerDay: 5}, pacing");
    let mut world = world(&two).await;
    world.run_for(TimeDelta::hours(7)).await;
    let waiting = world.column("select 'welcome/a1/' || external_id from referral r where not exists (select from message m where m.referral_id = r.id)").await;
    insta::assert_snapshot!(target(&world, &waiting[0]).await.replace(&waiting[0], "ID"));
    let next = json(&world, &waiting[0]).await["answer"]["next"]["at"].as_str().unwrap().to_owned();
    assert_eq!(next, "2026-11-30T23:00:00Z", "midnight in Douala");
    world
        .apply(
            &two.replace("messagesPerDay: 1}", "messagesPerDay: 9}").replace("messagesPerDay: 5", "messagesPerDay: 1"),
        )
        .await;
    let json = json(&world, &waiting[0]).await;
    assert_eq!(
        (&json["gate"][8]["reason"], &json["gate"][8]["inputs"]),
        (&"account-cap".into(), &"1 of 1 taken today".into())
    );
    // What is said of the earliest instant is so.
    assert!(
        json["answer"]["sentence"]
            .as_str()
            .unwrap()
            .ends_with("it goes out 2026-12-01 07:00 (in 16h) at the earliest."),
        "{json}"
    );
    world.run_until("2026-12-01T06:59:59Z".parse().unwrap()).await;
    assert_eq!(world.messages().await.len(), 1);
    world.run_until("2026-12-01T07:00:00Z".parse().unwrap()).await;
    assert_eq!(world.messages().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_the_pacing_delay() {
    let yaml = tree("").replace("{pacing: {every: 0s, jitter: 0s}}", "{pacing: {every: 2m, jitter: 0s}}");
    let mut world = world(&yaml).await;
    world.run_until("2026-11-30T14:01:00Z".parse().unwrap()).await;
    let waiting = world.column("select 'welcome/a1/' || external_id from referral r where not exists (select from message m where m.referral_id = r.id)").await;
    insta::assert_snapshot!(target(&world, &waiting[0]).await.replace(&waiting[0], "ID"));
    let next: Timestamp = json(&world, &waiting[0]).await["answer"]["next"]["at"].as_str().unwrap().parse().unwrap();
    world.run_until(next).await;
    assert_eq!(world.messages().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_pending_and_past_exits() {
    let mut world = world(&tree("")).await;
    world.run_for(TimeDelta::hours(7)).await;
    world.pay("r1", "2026-11-30T16:00Z").await;
    world.sql("insert into suppression values ('+237671000002', 'reply', '2026-11-30T17:00Z')").await;
    at(&mut world, "2026-12-01T15:00:00Z");
    let before = [target(&world, "welcome/a1/r1").await, target(&world, "welcome/a1/r2").await];
    world.facts_changed().await;
    world.settle().await;
    let after = [target(&world, "welcome/a1/r1").await, target(&world, "welcome/a1/r2").await];
    insta::assert_snapshot!([before, after].concat().join("\n----\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_lists_every_check_that_blocks_a_target() {
    let mut world = world(&tree("")).await;
    world.sql("update referral set consent = null, consent_source = null, consent_at = null").await;
    world.sql("update account set whatsapp_status = 'expired', subscription_ends_at = '2026-11-30T00:00Z'").await;
    world.run_for(TimeDelta::hours(5)).await;
    world.apply(&tree("").replace("state: active", "state: paused")).await;
    world.run_for(TimeDelta::hours(5)).await;
    insta::assert_snapshot!(target(&world, "welcome/a1/r1").await);
    world.apply(&tree("")).await;
    world.sql("update account set whatsapp_status = 'connected', subscription_ends_at = null").await;
    let json = json(&world, "welcome/a1/r1").await;
    assert_eq!(json["answer"]["next"], Value::Null, "only an event can change it");
    assert_eq!(json["gate"][6]["reason"], "consent-missing");
    assert_eq!(json["gate"].as_array().unwrap().iter().filter(|step| step["decides"] == true).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_failed_late_and_completed_days() {
    let mut world = world(&tree("")).await;
    world.channel.fail("+237671000001", &[Fault::Busy, Fault::Busy, Fault::Busy, Fault::Fine]);
    world.run_for(TimeDelta::hours(9)).await;
    let failed = target(&world, "welcome/a1/r1").await;
    // Nobody sends for two days.
    world.now += TimeDelta::days(2);
    world.run_for(TimeDelta::days(1)).await;
    insta::assert_snapshot!([failed, target(&world, "welcome/a1/r1").await].join("\n----\n"));
}

/// A second campaign for another country, one that is paused, one for another account.
fn several() -> String {
    let more = |name: &str, spec: &str| {
        format!(
            "---\napiVersion: relance/v1\nkind: Campaign\nmetadata: {{name: {name}}}\nspec: {{type: filtered, sequenceRef: two-days, {spec}}}\n"
        )
    };
    [
        tree(""),
        more("elsewhere", "priority: 5, filter: {countries: [SN], gender: female}"),
        more("full", "priority: 200, limits: {targets: 1}, enrollment: continuous"),
        more("stopped", "priority: 300, state: paused"),
        more("theirs", "accounts: {names: [a2]}"),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_a_referral_in_every_campaign_of_its_account() {
    let mut world = world(&several()).await;
    world.run_for(TimeDelta::days(1)).await;
    // Somebody who came later.
    let young = Person { registered_at: "2026-11-10T10:00:00Z", ..Person::new("r3", "+237671000003") };
    world.person(young).await;
    world.consent("r3", None).await;
    let texts = [explain(&world, &["referral", "r1"]).await, explain(&world, &["referral", "r3"]).await];
    insta::assert_snapshot!(texts.join("\n----\n"));
    let json = explain(&world, &["referral", "r3", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    let campaigns: Vec<&str> =
        json["campaigns"].as_array().unwrap().iter().map(|c| c["campaign"].as_str().unwrap()).collect();
    assert_eq!(campaigns, ["elsewhere", "welcome", "full", "stopped"]);
    assert_eq!(
        json["campaigns"][0]["enrollment"]["why_not"],
        serde_json::json!(["consent-missing", "country", "gender"])
    );
    // Who is said to match is taken.
    world.consent("r3", Some("opted_in")).await;
    let matches = explain(&world, &["referral", "r3"]).await;
    assert!(matches.contains("welcome    Matches: taken at the next look for people"), "{matches}");
    world.settle().await;
    assert!(world.targets().await.iter().any(|line| line.starts_with("r3 welcome active")));
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_rejects_unknown_ids_and_codes_with_a_hint() {
    let world = world(&tree("")).await;
    world.person(Person::new("r3", "+237671000003")).await;
    let url = world.url();
    for (args, said) in [
        (&["target", "wellcome/a1/r1"][..], "no campaign `wellcome`; did you mean `welcome`?"),
        (&["target", "welcome/a1/r11"], "no referral `r11`; did you mean `r1`?"),
        (&["target", "welcome/a1/r3"], "it was not enrolled; `relancectl explain referral r3` says why"),
        (&["target", "welcome"], "write `campaign/account/referral`"),
        (&["referral", "r22"], "no referral `r22`; did you mean `r2`?"),
        (&["RL9999"], "there is no code `RL9999`"),
        (&["RL0107", "target"], "error"),
        (&[], "error"),
    ] {
        let (text, error, code) = relancectl(&url, &[&["explain"], args].concat());
        assert_eq!((text.as_str(), code), ("", Some(2)), "{args:?}");
        assert!(error.contains(said), "{error}");
    }
    assert!(explain(&world, &["RL0107"]).await.starts_with("RL0107 "));
    let (text, ..) = relancectl(&url, &["describe", "target", "welcome/a1/r1"]);
    assert!(
        text.contains("Day 1 is due 2026-11-30 14:00") && text.contains("`relancectl explain target welcome/a1/r1`"),
        "{text}"
    );
}
