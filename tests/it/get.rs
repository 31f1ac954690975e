//! `get` and `describe` as somebody types them.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use relance::store::Speed;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::look::world;

/// Standard output, standard error and the exit code of `relancectl`.
pub(crate) fn relancectl(url: &str, args: &[&str]) -> (String, String, Option<i32>) {
    let program = env!("CARGO_BIN_EXE_relancectl");
    let output = Command::new(program).args(args).env("DATABASE_URL", url).env_remove("USER").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn get_commands_print_the_rows_of_the_store() {
    let world = world().await;
    let url = world.url();
    // Everything below is of this instant.
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    for noun in ["campaigns", "runs", "targets", "messages", "accounts", "revisions"] {
        let (json, _, code) = relancectl(&url, &["get", noun, "-o", "json"]);
        assert_eq!(code, Some(0), "{noun}");
        let rows: Value = serde_json::from_str(&json).unwrap();
        assert!(!rows.as_array().unwrap().is_empty(), "{noun}");
        let (yaml, ..) = relancectl(&url, &["get", noun, "-o", "yaml"]);
        assert_eq!(serde_yaml::from_str::<Value>(&yaml).unwrap(), rows, "{noun}");
        for output in ["table", "wide"] {
            let (table, _, code) = relancectl(&url, &["get", noun, "-o", output]);
            assert_eq!(code, Some(0));
            assert!(table.contains("times are UTC, now 2026-11-30 15:00"), "{table}");
            assert!(!table.contains('\u{1b}') && !table.contains("+237671000001"), "{table}");
        }
    }
    let (footer, ..) = relancectl(&url, &["get", "messages", "--limit", "2"]);
    assert!(footer.contains("showing 2 of 3; --limit 0 shows all"), "{footer}");
    for (args, said) in [
        (&["describe", "campaign", "welcome"][..], "2 runs"),
        (&["describe", "run", "welcome", "a1"], "2 of 50 messages of this run"),
        (&["describe", "target", "welcome/a1/r1"], "Day 2 is due 2026-12-01 14:00 (in 23h)"),
    ] {
        let (text, error, code) = relancectl(&url, args);
        assert_eq!(code, Some(0), "{error}");
        assert!(text.contains(said), "{text}");
        let (json, ..) = relancectl(&url, &[args, &["-o", "json"]].concat());
        assert!(serde_json::from_str::<Value>(&json).unwrap().is_object());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_rows_are_printed_page_by_page_as_one_document() {
    let world = world().await;
    let url = world.url();
    world
        .sql(
            "insert into referral (account_id, external_id, name, phone, language, country, registered_at, consent, as_of,
                                   is_current)
             select 1, 'x' || n, 'Paul', '+2376990' || (10000 + n), 'fr', 'CM', '2026-11-20Z', 'opted_in', '2026-11-01Z', true
             from generate_series(1, 2500) n",
        )
        .await;
    world
        .sql(
            "insert into target (account_id, campaign_id, referral_id, state, day, due_at, enrolled_at, revision_id)
             select 1, 1, id, 'active', 2, '2026-12-01Z', '2026-11-20Z', 1 from referral where external_id like 'x%'",
        )
        .await;
    world
        .sql(
            "insert into message (account_id, referral_id, campaign_id, day, state, attempts, quota_date, phone, language,
                                  text, revision_id, queued_at, sent_at)
             select 1, id, 1, 1, 'sent', 1, '2026-11-20', phone, 'fr', 'Jour', 1, timestamptz '2026-11-20Z' + id * interval '1 s',
                    '2026-11-21Z' from referral where external_id like 'x%'",
        )
        .await;
    for noun in ["targets", "messages"] {
        let (json, error, code) = relancectl(&url, &["get", noun, "-o", "json"]);
        assert_eq!((error.as_str(), code), ("", Some(0)), "{noun}");
        let all: Vec<Value> = serde_json::from_str(&json).unwrap();
        let mut ids: Vec<&str> = all.iter().map(|row| row["id"].as_str().unwrap()).collect();
        let told = ids.clone();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), told.len()), (2_503, 2_503), "{noun}");
        // A limit takes another way, and shows the same rows in the same order.
        let (limited, ..) = relancectl(&url, &["get", noun, "-o", "json", "--limit", "3000"]);
        assert_eq!(serde_json::from_str::<Vec<Value>>(&limited).unwrap(), all, "{noun}");
        let (table, ..) = relancectl(&url, &["get", noun, "--limit", "0"]);
        assert!(table.contains("2,503") && !table.contains("showing"), "{}", &table[table.len() - 200..]);
    }
    let (none, _, code) = relancectl(&url, &["get", "messages", "-o", "json", "--referral", "r1", "--day", "7"]);
    assert_eq!((none.trim(), code), ("[]", Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_usage_errors_with_a_suggestion() {
    let world = world().await;
    let url = world.url();
    for (args, said) in [
        (&["get", "runs", "--campaign", "wellcome"][..], "no campaign `wellcome`; did you mean `welcome`?"),
        (&["describe", "run", "welcome", "a9"], "no account `a9`; did you mean `a1`?"),
        (&["describe", "target", "welcome/a1/r3"], "no referral `r3`"),
        (&["describe", "target", "welcome"], "write `campaign/account/referral`"),
    ] {
        let (_, error, code) = relancectl(&url, args);
        assert_eq!(code, Some(2));
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_watch_prints_again_only_after_a_change() {
    let world = world().await;
    world.store().set_clock(world.now, Speed(1.0)).await.unwrap();
    let mut watch = Command::new(env!("CARGO_BIN_EXE_relancectl"))
        .args(["get", "runs", "--account", "a2", "--watch"])
        .env("DATABASE_URL", world.url())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut one = || -> Vec<String> {
        let mut lines = lines.by_ref().take_while(|line| !line.contains("times are UTC"));
        lines.by_ref().filter(|line| !line.is_empty()).collect()
    };
    let first = one();
    assert!(first[0].starts_with("Clock: 2026-11-30 15:0"), "{first:?}");
    assert!(first[2].contains("active"), "{first:?}");
    world.sql("update run set phase = 'paused', reason = 'manifest'").await;
    let second = one();
    assert!(second[2].contains("paused"), "{second:?}");
    kill_process(Pid::from_child(&watch), Signal::INT).unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}
