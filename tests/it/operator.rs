//! `pause`, `resume`, `start` and `cancel` as somebody types them, and where what they ordered is seen.

use std::fs;

use relance::store::Speed;
use serde_json::Value;

use crate::accidents::tree;
use crate::get::relancectl;
use crate::look::world;
use crate::support::daemon::folder;
use crate::support::world::World;

/// The world of `get` at a standstill.
pub(crate) async fn still() -> World {
    let world = world().await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    world
}

/// What each command says, one after the other; a `$` before those that are typed.
pub(crate) fn session(url: &str, commands: &[&[&str]]) -> String {
    let mut told = String::new();
    for command in commands {
        let (out, error, code) = relancectl(url, command);
        told += &format!("$ {}\n{out}{error}", command.join(" "));
        if code != Some(0) {
            told += &format!("(exit code {})\n", code.unwrap());
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn override_commands_print_the_affected_runs_and_the_end() {
    let world = still().await;
    let maria = ["--actor", "maria", "--reason", "too many complaints"];
    let (json, ..) = relancectl(&world.url(), &[&["start", "welcome", "-o", "json"], &maria[..]].concat());
    insta::assert_snapshot!("what_scripts_read_of_an_order", json);
    let told = session(
        &world.url(),
        &[
            &[&["pause", "welcome", "--for", "2h"], &maria[..]].concat(),
            &[&["pause", "--account", "a1"], &maria[..]].concat(),
            &[&["resume", "welcome", "--account", "a1"], &maria[..]].concat(),
            // The account's pause is no pause of the campaign.
            &[&["resume", "welcome"], &maria[..]].concat(),
            &["resume", "welcome", "--account", "a1", "--clear", "--actor", "joe"],
            &["pause", "--account", "a1", "--clear", "--actor", "joe"],
            &[&["cancel", "welcome", "--account", "a2"], &maria[..]].concat(),
            &[&["cancel", "welcome", "--account", "a2", "--yes"], &maria[..]].concat(),
        ],
    );
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn override_mistakes_are_reported_with_a_hint() {
    let world = still().await;
    let maria = ["--actor", "maria", "--reason", "why not"];
    let told = session(
        &world.url(),
        &[
            &[&["pause", "wellcome"], &maria[..]].concat(),
            &[&["pause", "welcome", "--account", "a9"], &maria[..]].concat(),
            &["pause", "welcome", "--actor", "maria"],
            &["pause", "welcome", "--actor", "maria", "--reason", " "],
            &["pause", "welcome", "--clear"],
            &["pause", "welcome", "--clear", "--actor", "maria"],
            &[&["cancel", "--account", "a1", "--yes"], &maria[..]].concat(),
            &[&["pause", "welcome", "--for", "soon"], &maria[..]].concat(),
            &[&["pause"], &maria[..]].concat(),
            &[&["pause", "welcome"], &maria[..]].concat(),
            &["resume", "welcome", "--clear", "--actor", "maria"],
        ],
    );
    insta::assert_snapshot!(told);
    let overrides = world.count("override").await;
    assert_eq!(overrides, 1, "only the one that makes sense is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_shows_an_active_override() {
    let world = still().await;
    let url = world.url();
    let pause = ["pause", "welcome", "--account", "a1", "--for", "2h", "--actor", "maria", "--reason", "audit"];
    assert_eq!(relancectl(&url, &pause).2, Some(0));
    let line = "! pause   welcome for account a1, by maria since 2026-11-30 15:00, until 2026-11-30 17:00: audit";
    let sentence = "paused by maria: audit (until 2026-11-30 17:00 UTC)";
    let dir = folder();
    fs::write(dir.path().join("tree.yaml"), tree("  limits: {messagesPerDay: 50}")).unwrap();
    let dir = dir.path().to_str().unwrap();
    for (args, said) in [
        (&["get", "campaigns"][..], line),
        (&["get", "runs"], line),
        (&["get", "runs", "-o", "json"], sentence),
        (&["describe", "campaign", "welcome"], line),
        (&["describe", "run", "welcome", "a1"], line),
        (&["describe", "run", "welcome", "a1"], sentence),
        (&["explain", "target", "welcome/a1/r1"], sentence),
        (&["explain", "referral", "r1"], sentence),
        (&["plan", "--dir", dir], line),
    ] {
        let (text, error, _) = relancectl(&url, args);
        assert!(text.contains(said), "{args:?}: {text}{error}");
    }
    for args in [&["get", "runs", "--account", "a2"][..], &["describe", "run", "welcome", "a2"]] {
        assert!(!relancectl(&url, args).0.contains("maria"), "{args:?}");
    }
    insta::assert_snapshot!(relancectl(&url, &["plan", "--dir", dir]).0, @"
    Overrides by operators, which beat the files:
    ! pause   welcome for account a1, by maria since 2026-11-30 15:00, until 2026-11-30 17:00: audit

    No changes. The database has what the files ask for.
    ");
    let (json, ..) = relancectl(&url, &["plan", "--dir", dir, "-o", "json"]);
    let plan: Value = serde_json::from_str(&json).unwrap();
    insta::assert_json_snapshot!("overrides_of_a_plan", plan["overrides"]);
}
