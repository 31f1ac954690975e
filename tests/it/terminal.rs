//! Where output goes: full disks, closed pipes, plain terminals, links and devices.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use crate::support::daemon::{folder, import, put, relancectl, text};
use crate::support::database::database;
use crate::support::trees::{ALWAYS, NO_PACE, tree};

#[tokio::test]
async fn output_that_cannot_be_written_fails_the_command() {
    let (dir, db) = (folder(), database().await);
    let url = db.url();
    import(dir.path(), Some(&url), 1, 2);
    put(dir.path(), &tree(2, NO_PACE, &[("c", ALWAYS)]));
    let commands: [&[&str]; 9] = [
        &["contact", "export", "+237671010000"],
        &["validate", "-o", "json"],
        &["plan", "-o", "markdown"],
        &["get", "accounts", "-o", "json"],
        &["log"],
        &["schema", "campaign"],
        &["export", "state"],
        &["export", "state", "--out", "-"],
        &["contact", "export", "+237671010000", "--out", "/dev/full"],
    ];
    for args in commands {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = relancectl(dir.path(), Some(&url), args).stdout(full).output().unwrap();
        let said = text(&output);
        // The log is empty here, and writing nothing cannot fail.
        if args != ["log"] {
            assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
            assert!(said.contains("No space left on device"), "{args:?}: {said}");
        }
    }
    // A reader that has seen enough is no failure.
    let mut child = relancectl(dir.path(), Some(&url), &["schema", "campaign"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_terminal_without_colours_gets_none() {
    let dir = folder();
    put(dir.path(), "apiVersion: relance/v1\nkind: Nope\nmetadata: {name: a}\n");
    let escapes = |variables: &[(&str, &str)]| {
        // A terminal of its own for the program.
        let mut script = Command::new("script");
        let program = format!("{} validate", env!("CARGO_BIN_EXE_relancectl"));
        script.args(["-qec", &program, "/dev/null"]).current_dir(dir.path()).env_remove("NO_COLOR");
        script.envs(variables.iter().copied()).stdin(Stdio::null());
        let output = script.output().unwrap();
        let said = text(&output);
        assert!(said.contains("RL0202"), "{said}");
        said.matches("\u{1b}[").count()
    };
    assert!(escapes(&[("TERM", "xterm")]) > 0);
    assert_eq!(escapes(&[("TERM", "dumb")]), 0);
    assert_eq!(escapes(&[("TERM", "xterm"), ("NO_COLOR", "1")]), 0);
}

#[test]
fn no_finding_repeats_a_secret() {
    let dir = folder();
    put(
        dir.path(),
        "apiVersion: relance/v1
kind: Channel
metadata: {name: gw}
spec:
  type: http
  url: https://example.com/send?to={{ phone }}&token=LITERAL1
  headers: {X-Auth: LITERAL2, X-Other: Bearer LITERAL3, x-fine: yes}
  body: '{\"n\": {{ phone }}, \"t\": {{ text }}, \"apikey\": \"LITERAL4\"}'
---
apiVersion: relance/v1
kind: Notifier
metadata: {name: n}
spec: {type: slack, url: \"https://hooks.slack.com/services/T/B/LITERAL5\", secret: [LITERAL6]}
---
apiVersion: relance/v1
kind: Channel
metadata: {name: plain}
spec: {type: http, url: 'http://gateway.example.com/send?key=LITERAL7', body: '{}'}
---
apiVersion: relance/v1
kind: Channel
metadata: {name: wa}
spec: {type: whatsapp-cloud, accessToken: LITERAL8, appSecret: LITERAL9, verifyToken: 12345678}
",
    );
    for format in ["text", "json"] {
        let output = relancectl(dir.path(), None, &["validate", "-o", format]).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.matches("RL0213").count() >= 7, "{said}");
        assert!(!said.contains("LITERAL") && !said.contains("12345678"), "{said}");
    }
}

#[test]
fn hidden_commands_are_not_suggested() {
    let dir = folder();
    for typed in ["keep-postgre", "fake-grap", "referenc"] {
        let output = relancectl(dir.path(), None, &[typed]).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            !said.contains("keep-postgres") && !said.contains("fake-graph") && !said.contains("'reference'"),
            "{said}"
        );
    }
    let said = text(&relancectl(dir.path(), None, &["validat"]).output().unwrap());
    assert!(said.contains("'validate'"), "{said}");
}

#[tokio::test]
async fn out_follows_links_and_a_dash_is_standard_output() {
    let (dir, db) = (folder(), database().await);
    let url = db.url();
    import(dir.path(), Some(&url), 1, 1);
    let at = |name: &str| dir.path().join(name);
    fs::write(at("real.json"), "old").unwrap();
    std::os::unix::fs::symlink("real.json", at("latest.json")).unwrap();
    let output = relancectl(dir.path(), Some(&url), &["export", "state", "--out", "latest.json"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(fs::symlink_metadata(at("latest.json")).unwrap().is_symlink());
    assert!(fs::read_to_string(at("real.json")).unwrap().contains("\"counts\""));
    for args in
        [&["export", "state", "--out", "-"][..], &["contact", "export", "+237671010000", "--out", "/dev/stdout"]]
    {
        let output = relancectl(dir.path(), Some(&url), args).output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(b"{"), "{args:?}: {}", text(&output));
    }
    assert!(!at("-").exists());
}
