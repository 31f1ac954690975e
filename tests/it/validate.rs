//! `validate` as somebody types it, and `plan` over files that it refuses.

use std::fs;
use std::path::Path;

use relance::store::Speed;
use serde_json::Value;

use crate::estimate::{folder, world};
use crate::get::relancectl;
use crate::support::trees::{NO_PACE, tree};

/// Runs a command on a folder; no database is needed.
fn of(command: &str, folder: &Path, args: &[&str], url: &str) -> (String, String, Option<i32>) {
    relancectl(url, &[&[command, "--dir", folder.to_str().unwrap()], args].concat())
}

#[test]
fn a_tree_whose_only_file_cannot_be_read_is_reported_as_text_and_as_json() {
    let broken: [(&[u8], &str); 4] = [
        (b"apiVersion: relance/v1\n# \xe9\n", "RL0101"),
        (b"a: [1\n", "RL0102"),
        (b"- 1\n", "RL0107"),
        (b"apiVersion: relance/v1\nkind: Nothing\nmetadata: {name: a}\nspec: {}\n", "RL0202"),
    ];
    for (bytes, code) in broken {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), bytes).unwrap();
        let (json, error, exit) = of("validate", folder.path(), &["-o", "json"], "");
        assert_eq!((error.as_str(), exit), ("", Some(1)), "{code}");
        let report: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&report["ok"], &report["diagnostics"][0]["code"]), (&false.into(), &code.into()), "{json}");
        let (text, _, exit) = of("validate", folder.path(), &[], "");
        assert!(text.contains(code) && exit == Some(1), "{text}");
    }
    let empty = tempfile::tempdir().unwrap();
    let (_, error, exit) = of("validate", empty.path(), &["-o", "json"], "");
    assert!(error.contains("there is not one manifest") && exit == Some(2), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_over_broken_files_never_says_that_nothing_would_change() {
    let mut world = world(3, "select 1").await;
    let sound = tree(2, NO_PACE, &[("one", "priority: 5"), ("two", "priority: 6")]);
    world.apply(&sound).await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let same = folder(&sound);
    let (text, ..) = of("plan", same.path(), &[], &world.url());
    assert_eq!(text, "No changes. The database has what the files ask for.\n");
    for broken in [
        sound.replace("priority: 6", "priority: six"),
        sound.replace("priority: 6", "priority: [6"),
        sound.replace("kind: Defaults", "kind: Default"),
    ] {
        let folder = folder(&broken);
        for format in ["text", "markdown"] {
            let (text, _, exit) = of("plan", folder.path(), &["-o", format], &world.url());
            assert_eq!(exit, Some(1), "{text}");
            assert!(!text.contains("The database has what the files ask for"), "{text}");
            assert!(text.contains("Broken and frozen manifests were not compared."), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_windows_is_no_change() {
    let mut world = world(3, "select 1").await;
    let windows = [
        "{days: [mon, tue], from: '08:00', to: '12:00'}",
        "{from: '14:00', to: '20:00'}",
        "{days: [sat], from: '09:00', to: '17:00'}",
    ];
    let [first, second, third] = windows;
    let with =
        |windows: [&str; 3]| tree(2, NO_PACE, &[("one", &format!("schedule: {{windows: [{}]}}", windows.join(", ")))]);
    world.apply(&with(windows)).await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    for other in [[third, second, first], [second, first, third], [second, third, first]] {
        let folder = folder(&with(other));
        let (text, error, exit) = of("plan", folder.path(), &["--detailed-exitcode"], &world.url());
        assert_eq!(exit, Some(0), "{text}{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_on_a_column_that_no_import_had_is_told_with_the_nearest_one() {
    let mut world = world(0, "select 1").await;
    let yaml = tree(
        2,
        NO_PACE,
        &[("one", "accounts: {matchLabels: {Tier: gold}}, filter: {attributes: {citty: Douala, shop: big}}")],
    );
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let folder = folder(&yaml);
    let (text, ..) = of("plan", folder.path(), &[], &world.url());
    assert!(!text.contains("no import"), "nothing was imported yet: {text}");

    let files = tempfile::tempdir().unwrap();
    let import = |what: &str, rows: &str| {
        let path = files.path().join(what);
        fs::write(&path, rows).unwrap();
        let (_, error, exit) = relancectl(&world.url(), &["import", what, path.to_str().unwrap()]);
        assert_eq!(exit, Some(0), "{error}");
    };
    import("accounts", "id,name,timezone,tier\na1,Sol,Africa/Douala,gold\n");
    import(
        "referrals",
        "id,account_id,name,phone,country,registered_at,city,shop\n\
         r1,a1,Ada,+237671000101,CM,2026-11-20T10:00:00Z,Douala,\n",
    );
    let expected = [
        "no import of accounts ever had a column `Tier`: nobody matches (did you mean `tier`?",
        "no import of referrals ever had a column `citty`: nobody matches (did you mean `city`?",
    ];
    let (plan, ..) = of("plan", folder.path(), &[], &world.url());
    let (json, ..) = of("plan", folder.path(), &["-o", "json"], &world.url());
    let (_, estimate, _) = relancectl(&world.url(), &["estimate", "one", "--dir", folder.path().to_str().unwrap()]);
    let (_, apply, _) = of("apply", folder.path(), &[], &world.url());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["warnings"].as_array().unwrap().len(), 2, "{json}");
    for text in [plan, json["warnings"].to_string(), estimate, apply] {
        for line in expected {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("`shop`"), "a column with empty cells is a column: {text}");
    }
    world.settle().await;
}
