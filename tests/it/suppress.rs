//! Suppressions by an operator's word: above all campaigns at once, as a STOP, and nobody else's to lift.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use chrono::TimeDelta;
use relance::core::domain::Phone;
use relance::store::{Listed, ReplyEffects, Suppressed};

use crate::accidents::tree;
use crate::operator::{session, still};
use crate::replies::{said, world};
use crate::support::world::World;

const PHONE: &str = "+237671000001";

fn phones(all: &[&str]) -> BTreeSet<Phone> {
    all.iter().map(|phone| Phone::trusted((*phone).to_owned())).collect()
}

async fn suppress(world: &World, all: &[&str], reason: &str) -> Suppressed {
    let store = world.store().acting(Some("maria"));
    store.suppress(&phones(all), Listed::ByHand, Some(reason), world.now).await.unwrap()
}

async fn rows(world: &World) -> Vec<String> {
    world.column("select concat_ws(' ', phone, source, actor, reason, said) from suppression order by 1").await
}

async fn log(world: &World) -> Vec<String> {
    let of = relance::store::query::LogOf::default();
    let (lines, _) = world.store().log(&of, None).await.unwrap();
    let told =
        |line: &relance::store::query::Line| format!("{} {}", line.actor.as_deref().unwrap_or("-"), line.sentence);
    lines.iter().filter(|line| line.account.is_none() && line.revision.is_none()).map(told).collect()
}

#[tokio::test]
async fn an_operator_suppression_exits_every_run_at_once() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    let done = suppress(&world, &[PHONE, "+237699999999"], "a letter").await;
    assert_eq!(done, Suppressed { added: 2, exited: 2 });
    let now = ["r1 welcome exited opted-out day 2", "r2 welcome active day 2", "r3 welcome exited opted-out day 2"];
    assert_eq!(world.targets().await, now);
    // The run of the second account has nobody left: it ends now.
    world.settle().await;
    assert_eq!(world.runs().await, ["welcome a1 active running", "welcome a2 completed drained"]);
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.channel.delivered().len(), 4);
    assert_eq!(suppress(&world, &[PHONE], "again").await, Suppressed::default());
    assert_eq!(
        rows(&world).await,
        [format!("{PHONE} operator maria a letter"), "+237699999999 operator maria a letter".to_owned()]
    );
    assert_eq!(log(&world).await, ["maria suppressed +2376*****01, +2376*****99: a letter"]);
}

#[tokio::test]
async fn a_start_never_lifts_an_operator_suppression() {
    let world = world().await;
    world.store().reply(&[said(1, PHONE, "Stop !!")], world.now).await.unwrap();
    assert_eq!(rows(&world).await, [format!("{PHONE} reply Stop !!")]);
    assert_eq!(suppress(&world, &[PHONE], "they called").await, Suppressed::default());
    // What they wrote stays as evidence.
    assert_eq!(rows(&world).await, [format!("{PHONE} operator maria they called Stop !!")]);
    assert_eq!(world.store().reply(&[said(1, PHONE, "start")], world.now).await.unwrap(), ReplyEffects::default());
    // Nor does another STOP make it theirs again.
    world.store().reply(&[said(1, PHONE, "stop"), said(1, PHONE, "start")], world.now).await.unwrap();
    assert_eq!(rows(&world).await.len(), 1);
}

#[tokio::test]
async fn a_lifted_suppression_enrolls_into_new_runs_only() {
    let mut world = world().await;
    suppress(&world, &[PHONE], "a mistake").await;
    world.apply(&tree("  enrollment: continuous")).await;
    world.settle().await;
    assert_eq!(world.targets().await, ["r2 welcome active day 1"]);
    let store = world.store().acting(Some("joe"));
    let lifted = store.unsuppress(&phones(&[PHONE, "+237671000002"]), "it was not them", world.now).await.unwrap();
    assert_eq!(lifted, phones(&[PHONE]));
    world.settle().await;
    assert_eq!(world.targets().await.len(), 3);
    // And whoever left stays out.
    suppress(&world, &[PHONE], "now it was").await;
    store.unsuppress(&phones(&[PHONE]), "or was it", world.now).await.unwrap();
    world.settle().await;
    let now = ["r1 welcome exited opted-out day 1", "r2 welcome active day 1", "r3 welcome exited opted-out day 1"];
    assert_eq!(world.targets().await, now);
    let told = log(&world).await;
    assert_eq!(told[1], "joe no longer suppressed +2376*****01: it was not them");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_commands_print_results_and_mistakes() {
    let world = still().await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.csv");
    let mut file = "Phone,country,note\n+237671000002,,x\n671000003,CM,\n671000003,CM,twice\n671000004,,\n".to_owned();
    for n in 0..2_000 {
        writeln!(file, "+23767200{n:04},,").unwrap();
    }
    fs::write(&list, file).unwrap();
    let (list, maria) = (list.to_str().unwrap(), ["--actor", "maria"]);
    let told = session(
        &world.url(),
        &[
            &["suppress", "list"],
            &[&["suppress", "add", "+237671000001", "671 00 00 09", "--country", "CM"], &maria[..]].concat(),
            &[&["suppress", "add", "671000001", "+1", "--reason", "x"], &maria[..]].concat(),
            &[&["suppress", "add", "+237671000001", "--reason", "a letter", "-o", "json"], &maria[..]].concat(),
            &["suppress", "add", "+237671000001"],
            &[&["suppress", "import", list, "--reason", "the regulator's list"], &maria[..]].concat(),
            &[&["suppress", "import", list, "--country", "CM", "-o", "json"], &maria[..]].concat(),
            &[&["suppress", "remove", "+237671000009", "+237671000099", "--reason", "typo"], &maria[..]].concat(),
            &[&["suppress", "remove", "+237671000009", "--reason", " "], &maria[..]].concat(),
            &["suppress", "list", "--limit", "3"],
            &["suppress", "list", "--limit", "1", "-o", "json"],
            &["log", "-n", "4"],
        ],
    );
    insta::assert_snapshot!(told.replace(list, "list.csv"));
}
