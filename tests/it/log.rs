//! The log: what teams and operators decide, told once and in order, over restarts and to whoever follows.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use chrono::TimeDelta;
use proptest::prelude::Rng;
use relance::core::domain::Timestamp;
use relance::core::lifecycle::detail::Detail;
use relance::daemon::reconcile::{By, Outcome, reconcile};
use relance::store::Speed;
use relance::store::query::{Line, LogOf};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{Postgres, Transaction};

use crate::get::relancectl;
use crate::support::daemon::folder;
use crate::support::database::database;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::{World, sources};

const MONDAY: &str = "2026-11-30T08:00:00Z";
const DAEMON: &str = "process 7 on host-1";

const ACCOUNTS: &str =
    "id,name,timezone,language\na1,Aminata,Africa/Douala,fr\na2,Bola,Africa/Douala,fr\na3,Awa,nowhere,fr\n";
const REFERRALS: &str = "id,account_id,name,phone,country,registered_at,consent
r1,a1,Paul,+237671000001,CM,2026-11-20T10:00:00Z,opted_in
r2,a2,Anne,+237671000002,CM,2026-11-20T10:00:00Z,opted_in
";

fn autumn_and_winter() -> String {
    tree(2, NO_PACE, &[("autumn", ALWAYS), ("winter", ALWAYS)])
}

/// As a person types it; the clock stands still meanwhile.
async fn typed(world: &World, user: &str, args: &[&str]) -> String {
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_relancectl"));
    let output = command.args(args).env("DATABASE_URL", world.url()).env("USER", user).output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// The text with all digests taken out: they are others whenever manifests learn something.
fn nameless(text: &str) -> String {
    let is_digest = |word: &&str| word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_digest).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.iter().fold(text.to_owned(), |text, word| text.replace(word, "DIGEST"))
}

/// A pass of the daemon that reconciles.
async fn pass(world: &mut World, yaml: &str) -> Outcome {
    let store = world.store().acting(Some(DAEMON));
    let outcome = reconcile(sources(yaml).into(), &store, By::Daemon, world.now).await.unwrap().outcome;
    // The world looks anew.
    world.settle().await;
    outcome
}

async fn read(world: &World, of: LogOf) -> Vec<Line> {
    world.store().log(&of, None).await.unwrap().0
}

/// Imports, a tree of two campaigns, orders that come and go, one that is over, and a tree that loses a campaign.
async fn eventful() -> World {
    let mut world = World::at(MONDAY).await;
    let dir = folder();
    for (what, rows) in [("accounts", ACCOUNTS), ("referrals", REFERRALS)] {
        let file = dir.path().join(what);
        fs::write(&file, rows).unwrap();
        typed(&world, "joe", &["import", what, file.to_str().unwrap()]).await;
    }
    assert!(matches!(pass(&mut world, &autumn_and_winter()).await, Outcome::Applied { .. }));
    world.run_for(TimeDelta::minutes(1)).await;
    let pause = ["pause", "winter", "--account", "a1", "--for", "2h", "--reason", "too many complaints"];
    typed(&world, "maria", &pause).await;
    typed(&world, "maria", &["start", "winter", "--account", "a1", "--reason", "all clear"]).await;
    world.run_for(TimeDelta::minutes(1)).await;
    typed(&world, "joe", &["start", "winter", "--account", "a1", "--clear"]).await;
    typed(&world, "joe", &["pause", "--account", "a2", "--for", "1h", "--reason", "audit"]).await;
    world.run_for(TimeDelta::hours(1)).await;

    // A mistake in one file, seen by two passes, of which the second is another daemon's.
    let broken = autumn_and_winter().replace("Jour 2.", "Jour 2. {{ nmae }}");
    assert!(matches!(pass(&mut world, &broken).await, Outcome::InSync));
    world.restart();
    assert!(matches!(pass(&mut world, &broken).await, Outcome::InSync));
    world.run_for(TimeDelta::minutes(1)).await;

    // The rest goes, which looks like an accident until somebody says that it is none.
    let autumn = tree(2, NO_PACE, &[]);
    let Outcome::Refused(_) = pass(&mut world, &autumn).await else { panic!() };
    assert!(matches!(pass(&mut world, &autumn).await, Outcome::Refused(_)));
    world.run_for(TimeDelta::minutes(1)).await;
    let digest = world.store().waiting_plan().await.unwrap().unwrap().digest;
    typed(&world, "awa", &["approve", &digest, "--reason", "the season is over"]).await;
    assert!(matches!(pass(&mut world, &autumn).await, Outcome::Applied { .. }));
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_records_each_decision_once_with_actor_and_reason() {
    let world = eventful().await;
    typed(&world, "awa", &["suppress", "add", "+237671999999", "--reason", "they called"]).await;
    typed(&world, "awa", &["suppress", "remove", "+237671999999", "--reason", "it was somebody else"]).await;
    let (text, error, code) = relancectl(&world.url(), &["log", "-o", "wide"]);
    assert_eq!((error.as_str(), code), ("", Some(0)));
    insta::assert_snapshot!("the_log", nameless(&text));
    let (json, ..) = relancectl(&world.url(), &["log", "-o", "json", "--campaign", "winter", "--account", "a1"]);
    insta::assert_snapshot!("the_log_of_a_run_for_scripts", nameless(&json));
    let (text, ..) = relancectl(&world.url(), &["get", "revisions"]);
    insta::assert_snapshot!(nameless(&text), @"
    ID  ACCEPTED          COMMIT  AUTHOR  APPLIED BY           APPROVED BY  CHANGES
     1  2026-11-30 08:00  -       -       process 7 on host-1  -            4 created
     2  2026-11-30 09:04  -       -       process 7 on host-1  awa          2 cancelled

    2 revisions · times are UTC, now 2026-11-30 09:04
    ");
    let (text, ..) = relancectl(&world.url(), &["describe", "revision", "2"]);
    insta::assert_snapshot!("a_revision", nameless(&text));
    let kinds = "select distinct kind from event order by kind";
    let all = relance::core::lifecycle::event::EventKind::ALL.map(|kind| kind.as_str().to_owned());
    // What these take: see `notifiers`, `resolve`, `holds`, `contact`, `webhooks`, `health` and `send_test`.
    let elsewhere = [
        "notification-given-up",
        "message-resolved",
        "near-opt-out",
        "hold-released",
        "contact-erased",
        "provider-notice",
        "opt-out-rate",
        "test-sent",
    ];
    let mut all: Vec<String> = all.into_iter().filter(|kind| !elsewhere.contains(&kind.as_str())).collect();
    all.sort();
    assert_eq!(world.column(kinds).await, all, "an event that this test does not make happen");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_filtered_by_campaign_account_and_time() {
    let world = eventful().await;
    let url = world.url();
    let all = read(&world, LogOf::default()).await;
    assert!(all.is_sorted_by_key(|line| line.at));
    let winter = read(&world, LogOf { campaign: Some("winter".to_owned()), ..LogOf::default() }).await;
    assert!(winter.iter().all(|line| line.campaign.as_deref() == Some("winter") || line.revision.is_some()));
    assert_eq!(winter.iter().filter(|line| line.campaign.is_none()).count(), 2, "both revisions changed it");
    let a2 = read(&world, LogOf { account: Some("a2".to_owned()), ..LogOf::default() }).await;
    assert!(a2.iter().all(|line| line.account.as_deref() == Some("a2")) && a2.len() > 3);
    let lines = |args: &[&str]| relancectl(&url, &[&["log", "-o", "json"], args].concat());
    let count = |args: &[&str]| {
        let rows: Value = serde_json::from_str(&lines(args).0).unwrap();
        rows.as_array().unwrap().len()
    };
    assert_eq!(count(&["-n", "0"]), all.len());
    assert_eq!(count(&["-n", "3"]), 3);
    let since = |at: &str| all.iter().filter(|line| line.at >= at.parse::<Timestamp>().unwrap()).count();
    let late = since("2026-11-30T09:02:00Z");
    assert!(late > 3 && late < all.len());
    assert_eq!(count(&["--since", "2026-11-30T09:02:00Z"]), late);
    assert_eq!(count(&["--since", "2m"]), late);
    assert_eq!(count(&["--since", "2026-11-30"]), all.len());
    assert_eq!(count(&["--since", "2026-12-01"]), 0);
    for (args, said) in [
        (&["--since", "soon"][..], "write `2h`, `2026-09-25` or `2026-09-25T05:14:51Z`"),
        (&["--campaign", "wintr"], "no campaign `wintr`; did you mean `winter`?"),
        (&["--account", "a9"], "no account `a9`"),
    ] {
        let (_, error, code) = lines(args);
        assert!(error.contains(said) && code == Some(2), "{error}");
    }
    let (text, ..) = relancectl(&url, &["log", "--target", "winter/a1/r1"]);
    insta::assert_snapshot!(text, @"
    TIME (UTC)           WHO  WHAT          CHANGE  REV  SENTENCE
    2026-11-20 10:00:00  -    a1/r1         -       -    registered
    2026-11-30 08:00:00  -    winter/a1/r1  -       -    enrolled by revision 1
    2026-11-30 08:01:00  -    winter/a1     -       -    the run became paused (operator): paused by maria: too many complaints (until 2026-11-30 10:01 UTC)
    2026-11-30 08:01:00  -    winter/a1     -       -    the run became active (running): started by maria: all clear; enrolling and sending
    2026-11-30 09:04:00  -    winter/a1     -       -    the run became cancelled (pruned): its manifest is gone
    2026-11-30 09:04:00  -    winter/a1/r1  -       -    left (cancelled): the run was cancelled
    ");
}

/// Writers whose transactions end in any order, and some not well: who reads after a cursor gets each event once.
#[tokio::test]
async fn a_log_cursor_returns_each_event_exactly_once() {
    for seed in 0..8_u8 {
        let db = database().await;
        let mut random =
            proptest::test_runner::TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &[seed; 32]);
        let (of, mut written) = (LogOf::default(), Vec::new());
        let (mut lines, mut cursor) = db.store.log(&of, None).await.unwrap();
        let mut open: Vec<(Transaction<'static, Postgres>, Vec<String>)> = Vec::new();
        for step in 0..200 {
            match random.next_u32() % 8 {
                0 if open.len() < 4 => open.push((db.pool.begin().await.unwrap(), Vec::new())),
                1..=3 if !open.is_empty() => {
                    let at = random.next_u32() as usize % open.len();
                    let (tx, mine) = &mut open[at];
                    // Instants say nothing about who is first.
                    let day = 1 + random.next_u32() % 28;
                    sqlx::query("insert into event (account_id, at, kind, detail) values (0, make_timestamptz(2026, 1, $1, 0, 0, 0), 'import', $2)")
                        .bind(i32::try_from(day).unwrap())
                        .bind(Json(Detail::Refused { text: format!("{seed} {step}") }))
                        .execute(&mut **tx)
                        .await
                        .unwrap();
                    mine.push(format!("{seed} {step}"));
                }
                4 | 5 if !open.is_empty() => {
                    let (tx, mine) = open.swap_remove(random.next_u32() as usize % open.len());
                    if random.next_u32().is_multiple_of(4) {
                        tx.rollback().await.unwrap();
                    } else {
                        tx.commit().await.unwrap();
                        written.extend(mine);
                    }
                }
                _ => {
                    let (more, next) = db.store.log_after(&of, &cursor).await.unwrap();
                    lines.extend(more);
                    cursor = next;
                    assert_eq!(lines.len(), written.len(), "what was committed is there at once");
                }
            }
        }
        drop(open);
        lines.extend(db.store.log_after(&of, &cursor).await.unwrap().0);
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for line in &lines {
            *times.entry(&line.sentence).or_default() += 1;
        }
        assert!(written.len() > 5, "{written:?}");
        assert_eq!(times, written.iter().map(|text| (text.as_str(), 1)).collect(), "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_follow_prints_new_events_until_it_is_stopped() {
    let world = eventful().await;
    let follow = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relancectl"));
        command.args(["log", "--follow"]).args(args).env("DATABASE_URL", world.url()).stdout(Stdio::piped());
        command.spawn().unwrap()
    };
    let mut table = follow(&["-n", "1"]);
    let mut json = follow(&["-n", "0", "-o", "json"]);
    let of = |child: &mut std::process::Child| BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut rows, mut objects) = (of(&mut table), of(&mut json));
    let mut row = || rows.next().unwrap().unwrap();
    assert!(row().starts_with("TIME (UTC)"));
    assert!(row().contains("winter/a2"), "the last event there was");
    let before = read(&world, LogOf::default()).await.len();
    for _ in 0..before {
        let line: Value = serde_json::from_str(&objects.next().unwrap().unwrap()).unwrap();
        assert!(line["sentence"].is_string());
    }
    typed(&world, "maria", &["pause", "--account", "a1", "--reason", "holidays"]).await;
    assert!(row().ends_with("paused by maria: holidays"));
    let line: Value = serde_json::from_str(&objects.next().unwrap().unwrap()).unwrap();
    assert_eq!((&line["kind"], &line["actor"]), (&"override-set".into(), &"maria".into()));
    for mut child in [table, json] {
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn a_frozen_manifest_is_logged_once_and_an_idle_pass_writes_nothing() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    let good = autumn_and_winter();
    pass(&mut world, &good).await;
    let broken = good.replace("name: winter}\nspec: {", "name: winter}\nspec: {runafter: autumn, ");
    let frozen = "select concat_ws(' ', kind, actor) from event where kind like 'manifest-%' order by id";
    for _ in 0..2 {
        pass(&mut world, &broken).await;
        assert_eq!(world.column(frozen).await, [format!("manifest-frozen {DAEMON}")]);
    }
    let rows = "select concat_ws(' ', kind, name, xmin) from frozen_manifest union all select xid::text from event";
    let before = world.column(rows).await;
    let store = world.store().acting(Some(DAEMON));
    reconcile(sources(&broken).into(), &store, By::Daemon, world.now).await.unwrap();
    assert_eq!(world.column(rows).await, before, "a pass without news wrote something");
    // A person looks at other files, perhaps.
    let person = By::Person { mass_change: false, digest: None };
    reconcile(sources(&good).into(), &store, person, world.now).await.unwrap();
    assert_eq!(world.column(frozen).await.len(), 1);
    pass(&mut world, &good).await;
    assert_eq!(world.column(frozen).await[1..], [format!("manifest-thawed {DAEMON}")]);
}
