//! `relancectl simulate` as somebody types it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{ACCOUNTS, campaign, referrals, tree};
use crate::support::database::fast_dir;

/// A folder with these files, which the user that runs Postgres may enter.
pub(super) fn folder(files: &[(&str, &str)]) -> TempDir {
    let open = fs::Permissions::from_mode(0o755);
    let dir = tempfile::Builder::new().prefix("relance-").permissions(open).tempdir_in(fast_dir()).unwrap();
    for (path, text) in files {
        write(dir.path(), path, text);
    }
    dir
}

fn write(dir: &Path, path: &str, text: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

struct Stated {
    code: Option<i32>,
    out: String,
    err: String,
}

fn relancectl(dir: &Path, args: &[&str]) -> Stated {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relancectl"));
    command.arg("simulate").args(args).current_dir(dir).env_remove("DATABASE_URL").env("NO_COLOR", "1");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Stated { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn git(dir: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]).args(args);
    let output = git.current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const EXPORTS: [&str; 4] = ["--accounts", "accounts.csv", "--referrals", "referrals.csv"];

#[test]
fn exports_are_simulated_and_compared_with_a_commit_and_a_directory() {
    let slow = tree("{}", &[campaign("welcome", "  limits: {messagesPerDay: 1}")]);
    let quick = slow.replace("messagesPerDay: 1", "messagesPerDay: 5");
    let dir = folder(&[
        ("accounts.csv", ACCOUNTS),
        ("referrals.csv", &(referrals() + "r99,a9,Nobody,+237671000099,fr,CM,,2026-11-11T10:00:00Z,,opted_in\n")),
        ("campaigns/tree.yaml", &slow),
        ("campaigns/.hidden.yaml", "no manifest"),
        ("campaigns/notes.txt", "no manifest"),
    ]);
    let dir = dir.path();
    git(dir, &["init", "-q", "-b", "main"]);
    git(dir, &["add", "campaigns"]);
    git(dir, &["commit", "-q", "-m", "slow"]);
    write(dir, "campaigns/tree.yaml", &quick);
    write(dir, "other/campaigns/tree.yaml", &quick);
    let with =
        |args: &[&str]| relancectl(dir, &[&EXPORTS, &["--from", "2026-11-30", "--days", "6"][..], args].concat());

    let text = with(&[]);
    assert_eq!(text.code, Some(0), "{}", text.err);
    insta::assert_snapshot!(text.out);

    let json = with(&["-o", "json", "--compare", "main"]);
    let comparison: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&comparison["format"], &comparison["before"]["name"]), (&1.into(), &"main".into()));
    assert_eq!(comparison["after"]["report"]["from"], "2026-11-30T00:00:00Z");
    let text = with(&["--compare", "main"]);
    insta::assert_snapshot!(text.out);

    let same = with(&["--compare", "other"]);
    assert!(same.out.contains("not one message, person or date is different"), "{}", same.out);

    let page = with(&["-o", "html", "--out", "page.html", "--compare", "HEAD"]);
    assert_eq!((page.code, page.out.as_str()), (Some(0), ""));
    assert!(fs::read_to_string(dir.join("page.html")).unwrap().starts_with("<!doctype html>"));

    for (args, code, said) in [
        (&["--compare", "nowhere"][..], 2, "`nowhere` is not a directory, and not a git commit to read from"),
        (&["--compare", "accounts.csv"], 2, "is not a directory"),
        (&["--compare", "main", "--dir", "templates"], 2, "there is no `templates`"),
        (&["--compare", "main", "--dir", "/nowhere"], 2, "write `/nowhere` relative"),
        (&["--from", "tomorrow"], 2, "--from `tomorrow`"),
        (&["--paid-rate", "2"], 2, "is not a share"),
        (&["--days", "0"], 2, "--days"),
    ] {
        let failed = relancectl(dir, &[&EXPORTS, args].concat());
        assert_eq!(failed.code, Some(code), "{args:?}: {}", failed.err);
        assert!(failed.err.contains(said), "{args:?}: {}", failed.err);
    }
    write(dir, "other/campaigns/tree.yaml", &quick.replace("accounts: all", "accounts: nobody"));
    let broken = with(&["--compare", "other"]);
    assert_eq!(broken.code, Some(1), "{}", broken.err);
    assert!(broken.err.contains("the files of `other` have errors"), "{}", broken.err);
}

#[test]
fn missing_inputs_are_reported_before_anything_starts() {
    let files = tree("{}", &[campaign("welcome", "")]);
    let dir = folder(&[("campaigns/tree.yaml", &files)]);
    for (args, said) in [
        (&[][..], "there is nobody to simulate with"),
        (&["--accounts", "accounts.csv"], "--referrals"),
        (&EXPORTS, "accounts.csv"),
        (&["--dir", "nowhere"], "there is no `nowhere`"),
    ] {
        let failed = relancectl(dir.path(), args);
        assert_eq!(failed.code, Some(2), "{args:?}: {}", failed.err);
        assert!(failed.err.contains(said), "{args:?}: {}", failed.err);
    }
    write(dir.path(), "campaigns/tree.yaml", &files.replace("three-days}}", "four}"));
    assert!(!dir.path().join(".relance").exists(), "nothing is started for a mistake");
}
