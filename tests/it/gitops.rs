//! A tree under review: what is frozen, what waits for a person, and plans that are no longer what was seen.

use relance::core::plan::Refusal;
use relance::daemon::reconcile::{By, Outcome, Pass};
use relance::store::{Approved, Speed};
use serde_json::Value;

use crate::estimate::folder;
use crate::get::relancectl;
use crate::plan::nameless;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::{World, sources};

/// Four accounts, nobody in them.
async fn world(yaml: &str) -> World {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    for account in ["a1", "a2", "a3", "a4"] {
        world.account(account).await;
    }
    world.apply(yaml).await;
    world.settle().await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    world
}

/// Without end: nobody is there.
const ON: &str = "enrollment: continuous";

fn three() -> String {
    tree(2, NO_PACE, &[("a", ON), ("b", ON), ("c", ON)])
}

fn two() -> String {
    tree(2, NO_PACE, &[("b", ON), ("c", ON)])
}

async fn daemon(world: &mut World, yaml: &str) -> Pass {
    world.reconcile(&sources(yaml), By::Daemon).await
}

fn with_dir<'a>(dir: &'a tempfile::TempDir, args: &[&'a str]) -> Vec<&'a str> {
    [&args[..1], &["--dir", dir.path().to_str().unwrap()], &args[1..]].concat()
}

#[tokio::test]
async fn an_approved_mass_cancellation_is_applied_once() {
    let mut world = world(&three()).await;
    let pass = daemon(&mut world, &two()).await;
    assert!(matches!(pass.outcome, Outcome::Refused(Refusal::MassCancel { cancelled: 4, live: 12 })), "{pass:?}");
    let told = pass.complaint();
    assert!(
        told.ends_with(&format!("`relancectl approve {0} --reason …` has plan {0} carried out", pass.digest)),
        "{told}"
    );
    let (store, now, digest) = (world.store().clone(), world.now, pass.digest);
    let approve = async |digest: &str| store.approve_plan(digest, "awa", "the autumn is over", now).await.unwrap();
    assert_eq!(approve("0000").await, Approved::NotWaiting(Some(digest.clone())));
    // Nobody said anything: it goes on waiting.
    assert!(matches!(daemon(&mut world, &two()).await.outcome, Outcome::Refused(_)));
    let Approved::Done(waiting) = approve(&digest).await else { panic!() };
    assert_eq!((waiting.digest.as_str(), waiting.approved_by.as_deref()), (&*digest, Some("awa")));

    // What was approved is one plan, not whatever comes.
    let other = tree(2, NO_PACE, &[("c", ON)]);
    let pass = daemon(&mut world, &other).await;
    assert!(matches!(pass.outcome, Outcome::Refused(_)));
    assert_eq!(approve(&digest).await, Approved::NotWaiting(Some(pass.digest)));
    // Its approval went with it.
    assert!(matches!(daemon(&mut world, &two()).await.outcome, Outcome::Refused(_)));
    assert!(matches!(approve(&digest).await, Approved::Done(_)));
    let pass = daemon(&mut world, &two()).await;
    assert!(matches!(pass.outcome, Outcome::Applied { revision: 2, .. }), "{pass:?}");
    assert_eq!(approve(&digest).await, Approved::CarriedOut(2));
    let kept = "select concat_ws(' ', digest = $$D$$, approved_by, approval_reason, revision_id) from refused_plan";
    assert_eq!(world.column(&kept.replace('D', &digest)).await, ["t awa the autumn is over 2"]);

    // The same again is another question.
    assert!(matches!(daemon(&mut world, &three()).await.outcome, Outcome::Applied { .. }));
    let pass = daemon(&mut world, &two()).await;
    assert_eq!((&pass.digest, matches!(pass.outcome, Outcome::Refused(_))), (&digest, true));
    assert!(matches!(daemon(&mut world, &three()).await.outcome, Outcome::InSync));
    assert_eq!(store.waiting_plan().await.unwrap(), None);
    assert_eq!(approve("0000").await, Approved::NotWaiting(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_commands_refer_to_a_plan_by_the_same_digest() {
    let mut world = world(&three()).await;
    let url = world.url();
    let dir = folder(&two());
    let run = |args: &[&str]| relancectl(&url, &with_dir(&dir, args));
    let (json, _, code) = run(&["plan", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let digest = json["plan_digest"].as_str().unwrap();
    assert_eq!(code, Some(1));
    let (text, note, _) = run(&["plan"]);
    assert!(text.ends_with(&format!("\nPlan {digest}: 1 to cancel.\n")), "{text}");
    assert!(note.contains(&format!("`relancectl approve {digest} --reason …`")), "{note}");
    // The daemon has not seen it.
    let approve = ["approve", digest, "--reason", "meant", "--actor", "awa"];
    let (_, error, code) = run(&approve);
    assert!(error.contains("no plan waits for an approval"), "{error}");
    assert_eq!(code, Some(2));
    daemon(&mut world, &two()).await;
    let (_, error, _) = run(&["approve", "0123", "--reason", "meant", "--actor", "awa"]);
    assert!(error.contains(&format!("not what the daemon plans any more: that is `{digest}`")), "{error}");
    for (args, said) in [
        (&["approve", digest, "--reason", "meant"], "no actor is known"),
        (&["approve", digest, "--reason", " "], "`--reason` is empty"),
    ] {
        let args = if said.contains("--reason") { [&args[..], &["--actor", "awa"]].concat() } else { args.to_vec() };
        let (_, error, code) = run(&args);
        assert!(error.contains(said) && code == Some(2), "{error}");
    }
    assert_eq!(run(&approve).2, Some(0));
    let (_, note, _) = run(&["plan"]);
    assert!(note.contains("awa approved this plan"), "{note}");

    // A person names what they have seen.
    let (_, error, code) = run(&["apply", "--allow-mass-change", "--digest", "0123"]);
    assert!(error.contains(&format!("the plan is {digest} by now")), "{error}");
    assert_eq!(code, Some(1));
    let (_, error, code) = run(&["apply", "--digest", digest]);
    assert!(error.contains("`--allow-mass-change` says so"), "{error}");
    assert_eq!(code, Some(1));
    // Somebody edits what it is about: the same files, another plan.
    world.apply(&three().replace("Jour 2.", "Jour deux.")).await;
    let (_, error, code) = run(&["apply", "--allow-mass-change", "--digest", digest]);
    assert!(error.contains("another one than you have seen"), "{error}");
    assert_eq!(code, Some(1));
    world.apply(&three()).await;
    let (text, _, code) = run(&["apply", "--allow-mass-change", "--digest", digest]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(run(&["apply", "--digest", digest]).2, Some(0), "it has nothing to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_lists_frozen_manifests_and_apply_refuses_errors() {
    let world = world(&three()).await;
    let url = world.url();
    let edit = three().replace(
        "name: a}\nspec: {type: filtered, sequenceRef: days",
        "name: a}\nspec: {type: filtered, filterRef: nobody, sequenceRef: days",
    );
    let edit = edit.replace("name: c}\nspec: {type: filtered,", "name: c}\nspec: {type: filtered, priority: 5,");
    let edit = edit
        + "---\napiVersion: relance/v1\nkind: Campaign\nmetadata: {name: new}\nspec: {type: filtered, priority: low}\n---\nkind: [\n";
    let dir = folder(&edit);
    let run = |args: &[&str]| relancectl(&url, &with_dir(&dir, args));
    let (text, _, code) = run(&["plan"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(nameless(&text.replace(dir.path().to_str().unwrap(), ".")));
    let (text, _, code) = run(&["plan", "-o", "markdown"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("a_plan_as_a_comment", nameless(&text.replace(dir.path().to_str().unwrap(), ".")));
    let (json, _, code) = run(&["plan", "-o", "json", "--detailed-exitcode"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let names: Vec<String> = json["frozen"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {} {}", it["kind"], it["name"], it["in_force"]))
        .collect();
    assert_eq!(names, ["\"Campaign\" \"a\" true", "\"Campaign\" \"new\" false"]);
    assert_eq!(
        (json["errors"].as_array().unwrap().len(), json["changes"].as_array().unwrap().len(), code),
        (3, 1, Some(1))
    );
    let (_, error, code) = run(&["apply", "--allow-mass-change"]);
    assert!(error.contains("nothing is applied: the files have errors"), "{error}");
    assert_eq!(code, Some(1));
    let revisions = world.count("revision").await;
    assert_eq!(revisions, 1);
}

#[tokio::test]
async fn a_rename_keeps_the_campaign_and_shows_in_the_plan() {
    let mut world = world(&three()).await;
    let campaigns = "select concat_ws(' ', id, name, removed_at is null) from campaign order by id";
    let manifests = "select name from manifest where kind = 'Campaign' order by name";
    assert_eq!(world.column(campaigns).await, ["1 a t", "2 b t", "3 c t"]);
    let winter = three().replace("{name: a}", "{name: winter, annotations: {relance/renamed-from: a}}");
    let pass = daemon(&mut world, &winter).await;
    let Outcome::Applied { plan, .. } = &pass.outcome else { panic!("{pass:?}") };
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(
        relance::core::plan::render::text::text(plan),
        format!("~ rename  Campaign winter, until now a\n\nPlan {}: 1 to rename.", pass.digest)
    );
    assert_eq!(world.column(campaigns).await, ["1 winter t", "2 b t", "3 c t"]);
    assert_eq!(world.column(manifests).await, ["b", "c", "winter"]);
    assert_eq!(world.count("run where finished_at is null").await, 12);
    assert!(matches!(daemon(&mut world, &winter).await.outcome, Outcome::InSync));
    // Renamed and cancelled in one: that cancels.
    let off = winter.replace(
        "{name: winter, annotations: {relance/renamed-from: a}}\nspec: {",
        "{name: off, annotations: {relance/renamed-from: winter}}\nspec: {state: cancelled, ",
    );
    let pass = daemon(&mut world, &off).await;
    assert!(matches!(pass.outcome, Outcome::Refused(Refusal::MassCancel { cancelled: 4, live: 12 })), "{pass:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_campaign_is_shown_as_kept() {
    let protected = three().replace("{name: a}", "{name: a, annotations: {relance/prune: disabled}}");
    let mut world = world(&protected).await;
    let dir = folder(&two());
    let url = world.url();
    let run = |args: &[&str]| relancectl(&url, &with_dir(&dir, args));
    let (text, _, code) = run(&["plan"]);
    let kept = "These stay in force although their manifests are gone\n= Campaign a: `relance/prune` is `disabled`\n";
    assert_eq!(
        (text.as_str(), code),
        (&*format!("{kept}\nNo changes. The database has what the files ask for.\n"), Some(0))
    );
    let (json, _, _) = run(&["plan", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["kept"][0]["name"], "a");
    assert!(matches!(daemon(&mut world, &two()).await.outcome, Outcome::InSync));
    // Without one campaign of its own a tree is empty all the same.
    let pass = daemon(&mut world, &tree(2, NO_PACE, &[])).await;
    assert!(matches!(pass.outcome, Outcome::Refused(Refusal::EmptyTree)), "{pass:?}");
    // It goes as it came: by its manifest.
    assert!(matches!(daemon(&mut world, &three()).await.outcome, Outcome::Applied { .. }));
    assert!(matches!(daemon(&mut world, &two()).await.outcome, Outcome::Refused(_)));
}
