//! `relancectl test`: the tests that ship pass, and a test that fails says where, what and why, to people and programs.

use std::fs;
use std::path::Path;
use std::process::Output;

use relance::postgres::Server;
use tempfile::TempDir;

use crate::support::daemon::{folder, relancectl};

const TREE: &str = include_str!("../accidents/tree.yaml");

const FAILS: &str = "apiVersion: relance/v1
kind: CampaignTest
metadata: {name: paul-is-written-to}
spec:
  clock: 2026-12-01T07:00:00Z
  accounts: [{id: a1, name: Aminata, language: fr, timezone: Africa/Douala}]
  referrals:
    - {id: paul, account: a1, name: Paul & <Co>, phone: '+237671000001', country: CM, registeredAt: 2026-11-20T10:00:00Z, consent: opted_in}
  steps:
    - advance: 1d
    - event: {type: paid, referral: paul}
    - advance: 2d
    - expect:
        messages: {count: 2}
        targets: [{referral: paul, state: completed}]
        runs: [{campaign: default, account: a1, phase: active}]
---
apiVersion: relance/v1
kind: CampaignTest
metadata: {name: enrolled}
spec:
  clock: 2026-12-01T07:00:00Z
  accounts: [{id: a1, timezone: Africa/Douala}]
  steps: [{advance: 1h}, {expect: {runs: [{campaign: default, account: a1, enrolled: 0}]}}]
";

/// A story of one person and one order each: a name, and the steps.
fn orders(stories: &[(&str, &str)]) -> String {
    let head = "apiVersion: relance/v1
kind: CampaignTest
metadata: {name: NAME}
spec:
  clock: 2026-12-01T07:00:00Z
  accounts: [{id: a1, timezone: Africa/Douala}]
  referrals:
    - {id: paul, account: a1, phone: '+237671000001', country: CM, registeredAt: 2026-11-20T10:00:00Z, consent: opted_in}
  steps:
";
    let story = |(name, steps): &(&str, &str)| {
        let steps: Vec<String> = steps.lines().map(|step| format!("    - {step}\n")).collect();
        head.replace("NAME", name) + &steps.concat()
    };
    stories.iter().map(story).collect::<Vec<_>>().join("---\n")
}

const ORDERS: [(&str, &str); 4] = [
    (
        "a-run-is-closer-than-its-account",
        "override: {action: pause, account: a1, reason: holidays}
override: {action: resume, account: a1, campaign: default, reason: but this one}
advance: 3d
expect: {messages: {count: 2}, runs: [{campaign: default, phase: completed}]}",
    ),
    (
        "a-start-does-not-wait-for-the-manifest",
        "edit: {kind: Campaign, name: default, patch: {spec: {state: draft}}}
override: {action: start, campaign: default, reason: now}
advance: 7h
expect: {messages: {count: 1}, runs: [{phase: active, reason: operator, messageContains: 'started by the test: now'}]}
override: {clear: true, campaign: default}
advance: 3d
expect: {messages: {count: 1}, runs: [{phase: paused, reason: manifest}]}",
    ),
    (
        "a-cancel-is-for-ever",
        "override: {action: cancel, campaign: default, reason: over}
override: {clear: true, campaign: default}
advance: 3d
expect: {messages: {count: 0}, targets: {only: [{referral: paul, state: exited, reason: cancelled}]}, runs: [{phase: cancelled}]}",
    ),
    (
        "an-override-goes-with-its-manifest",
        "edit: {manifest: {apiVersion: relance/v1, kind: Campaign, metadata: {name: other}, spec: {type: filtered, state: active, accounts: all, sequenceRef: two-days, filter: {subscription: unpaid}}}}
edit: {manifest: {apiVersion: relance/v1, kind: Campaign, metadata: {name: third}, spec: {type: filtered, state: draft, accounts: all, sequenceRef: two-days, filter: {subscription: unpaid}}}}
edit: {manifest: {apiVersion: relance/v1, kind: Campaign, metadata: {name: fourth}, spec: {type: filtered, state: draft, accounts: all, sequenceRef: two-days, filter: {subscription: unpaid}}}}
override: {action: pause, campaign: other, reason: audit}
remove: {kind: Campaign, name: other}
expect: {runs: [{campaign: other, phase: cancelled, reason: pruned}]}",
    ),
];

const IMPOSSIBLE: [(&str, &str, &str); 4] = [
    ("nothing-to-clear", "override: {clear: true, account: a1}", "nothing is ordered there"),
    ("no-end", "override: {action: cancel, account: a1, reason: over}", "a whole account is never cancelled"),
    ("for-a-time", "override: {action: cancel, campaign: default, reason: over, for: 2h}", "not for a time"),
    ("no-reason", "override: {action: pause, campaign: default, reason: ' '}", "an override says why"),
];

/// A folder with a tree, and a server of its own that stops with it.
struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = folder();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        Self(dir)
    }

    fn test(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = relancectl(self.0.path(), None, &["test"]);
        let Output { status, stdout, stderr } = command.args(arguments).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        Server::stop(&self.0.path().join(".relance/scratch")).unwrap();
    }
}

#[test]
fn all_shipped_campaign_tests_pass() {
    let folder = Folder::with(&[]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = |name: &str| root.join(name).display().to_string();
    for tree in ["tests/accidents", "tests/lifecycle"] {
        let (code, out, error) = folder.test(&["--dir", &path(tree)]);
        assert_eq!(code, Some(0), "{out}{error}");
    }
    let (code, out, error) = folder.test(&["--dir", &path("campaigns"), "--dir", &path("templates")]);
    assert_eq!(code, Some(0), "{out}{error}");
}

#[test]
fn a_failed_campaign_test_reports_its_place_and_reason() {
    let folder = Folder::with(&[("tree.yaml", TREE), ("tests.yaml", FAILS)]);
    let (code, out, _) = folder.test(&["--dir", "."]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("a_failure_for_people", out);
    let (code, out, _) = folder.test(&["--dir", ".", "-o", "json"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("a_failure_for_programs", out);
    let (code, out, _) = folder.test(&["--dir", ".", "-o", "junit"]);
    assert_eq!(code, Some(1));
    // How long it took is different every time.
    let mut parts = out.split(" time=\"");
    let timeless = parts.next().unwrap().to_owned();
    let timeless = parts.fold(timeless, |text, part| text + part.split_once('"').unwrap().1);
    insta::assert_snapshot!("a_failure_for_ci", timeless);
    let (code, out, _) = folder.test(&["--dir", ".", "--run", "enr*"]);
    assert_eq!((code, out.trim_end()), (Some(0), "ok   enrolled\n\n1 test: 1 passed, 0 failed"));
}

#[test]
fn an_untestable_tree_never_passes() {
    let folder = Folder::with(&[("tree.yaml", TREE)]);
    let (code, _, error) = folder.test(&["--dir", "."]);
    assert_eq!((code, error.as_str()), (Some(2), "error: there is no `CampaignTest` in `.`\n"));

    let folder = Folder::with(&[("tree.yaml", TREE), ("tests.yaml", FAILS)]);
    let (code, _, error) = folder.test(&["--dir", ".", "--run", "enroled"]);
    assert_eq!((code, error.contains("did you mean `enrolled`?")), (Some(2), true), "{error}");

    let folder = Folder::with(&[("tree.yaml", &TREE.replace("accounts: all", "accounts: everybody"))]);
    let (code, out, _) = folder.test(&["--dir", "."]);
    assert_eq!((code, out.contains("`accounts` cannot be `everybody`")), (Some(1), true), "{out}");
}

#[test]
fn a_campaign_test_can_give_every_operator_override() {
    let folder = Folder::with(&[("tree.yaml", TREE), ("tests.yaml", &orders(&ORDERS))]);
    let (code, out, error) = folder.test(&["--dir", "."]);
    assert_eq!(code, Some(0), "{out}{error}");

    let stories = IMPOSSIBLE.map(|(name, step, _)| (name, format!("{step}\nexpect: {{messages: {{count: 0}}}}")));
    let stories = stories.each_ref().map(|(name, steps)| (*name, steps.as_str()));
    let folder = Folder::with(&[("tree.yaml", TREE), ("tests.yaml", &orders(&stories))]);
    let (code, out, error) = folder.test(&["--dir", "."]);
    assert_eq!(code, Some(1), "{out}{error}");
    for (name, _, said) in IMPOSSIBLE {
        assert!(out.contains(said), "{name}: {out}");
    }
}
