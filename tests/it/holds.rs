//! A reply that holds a STOP and may not mean it: the account that heard it writes no more until somebody has read it.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use relance::core::domain::{AccountId, Phone};
use relance::store::query::{LineKind, LogOf, Wanted};
use relance::store::{Listed, ReplyEffects};

use crate::operator::{session, still};
use crate::replies::{said, world};
use crate::support::world::World;

const PHONE: &str = "+237671000001";
const UNCLEAR: &str = "don't cancel my order";

fn phone() -> BTreeSet<Phone> {
    BTreeSet::from([Phone::trusted(PHONE.to_owned())])
}

async fn reply(world: &World, account: i32, text: &str) -> ReplyEffects {
    world.store().reply(&[said(account, PHONE, text)], world.now).await.unwrap()
}

/// Which accounts hold the person.
async fn holds(world: &World) -> Vec<String> {
    world.column("select account_id::text from person_hold order by 1").await
}

/// How many messages each of the three people got: the person of the reply by `r1` and `r3`.
async fn got(world: &World) -> Vec<i64> {
    let mut all = Vec::new();
    for referral in 1..=3 {
        all.push(world.one(&format!("select count(*) from message where referral_id = {referral}")).await);
    }
    all
}

#[tokio::test]
async fn an_unclear_reply_blocks_its_account_until_review() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    let heard = reply(&world, 1, UNCLEAR).await;
    assert_eq!(
        heard,
        ReplyEffects { held: vec![(AccountId(1), Phone::trusted(PHONE.to_owned()))], ..ReplyEffects::default() }
    );
    // What they write again holds nobody anew.
    assert_eq!(reply(&world, 1, "please stop or not").await, ReplyEffects::default());
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(got(&world).await, [1, 2, 2]);
    let active = ["r1 welcome active day 2", "r2 welcome completed day 2", "r3 welcome completed day 2"];
    assert_eq!(world.targets().await, active);

    let store = world.store().acting(Some("maria"));
    assert!(store.release(&phone(), Some(AccountId(2)), None, world.now).await.unwrap().is_empty());
    assert_eq!(store.release(&phone(), Some(AccountId(1)), Some("they like it"), world.now).await.unwrap(), phone());
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(got(&world).await, [2, 2, 2]);
    let lines = world.store().log(&LogOf::default(), None).await.unwrap().0;
    let told = lines.iter().filter(
        |line| matches!(line.kind, LineKind::Event(kind) if ["near-opt-out", "hold-released"].contains(&kind.as_str())),
    );
    let told: Vec<_> = told.map(|line| format!("{:?} {:?} {}", line.account, line.actor, line.sentence)).collect();
    let expected = [
        "Some(\"a1\") None held +2376*****01: their reply may mean that they want no more messages; \
         `relancectl suppress holds` shows it",
        "Some(\"a1\") Some(\"maria\") released +2376*****01: they like it",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_hold_shows_whenever_the_target_is_due() {
    let mut world = world().await;
    let shown = async |world: &mut World| {
        let (program, _) = world.program().await;
        let all = Wanted { referral: Some("r1".to_owned()), ..Wanted::default() };
        let rows = world.store().targets(&program, &all, world.now).await.unwrap().rows;
        rows.iter().map(|row| row.hold.map_or("none", |hold| hold.reason.as_str())).collect::<Vec<_>>().join(" ")
    };
    world.settle().await;
    assert_eq!(shown(&mut world).await, "none");
    reply(&world, 1, UNCLEAR).await;
    world.settle().await;
    // Before day 1 is due, when it is, and on the days after, each of which puts it off.
    for hours in [0, 7, 24, 30, 49] {
        world.run_for(TimeDelta::hours(hours)).await;
        assert_eq!(shown(&mut world).await, "near-opt-out", "after {hours} hours more");
    }
    world.store().release(&phone(), Some(AccountId(1)), None, world.now).await.unwrap();
    world.sql("update referral set consent = null where external_id = 'r1'").await;
    assert_eq!(shown(&mut world).await, "consent-missing");
    world.sql("update referral set consent = 'opted_in' where external_id = 'r1'").await;
    world.run_for(TimeDelta::hours(1)).await;
    assert!(["none", "outside-window"].contains(&shown(&mut world).await.as_str()));
}

#[tokio::test]
async fn a_stop_start_or_suppression_ends_the_review_on_every_account() {
    for settle in ["stop", "start", "suppress"] {
        let mut world = world().await;
        world.run_for(TimeDelta::hours(7)).await;
        reply(&world, 1, UNCLEAR).await;
        reply(&world, 2, UNCLEAR).await;
        assert_eq!(holds(&world).await, ["1", "2"]);
        if settle == "suppress" {
            world.store().suppress(&phone(), Listed::ByHand, None, world.now).await.unwrap();
        } else {
            reply(&world, 2, settle).await;
        }
        assert_eq!(holds(&world).await, [""; 0], "{settle}");
        world.run_for(TimeDelta::days(2)).await;
        let expected = if settle == "start" { [2, 2, 2] } else { [1, 2, 1] };
        assert_eq!(got(&world).await, expected, "{settle}");
    }
}

#[tokio::test]
async fn a_start_resumes_a_person_after_days_under_review() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    reply(&world, 1, UNCLEAR).await;
    world.run_for(TimeDelta::days(5)).await;
    reply(&world, 1, "start").await;
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(got(&world).await, [2, 2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_reviews_an_unclear_reply() {
    let mut world = still().await;
    let mut told = session(&world.url(), &[&["suppress", "holds"]]);
    world.store().reply(&[said(1, PHONE, UNCLEAR)], world.now).await.unwrap();
    world.run_for(TimeDelta::days(1)).await;
    world.store().set_clock(world.now, relance::store::Speed(0.0)).await.unwrap();
    let maria = ["--actor", "maria"];
    told += &session(
        &world.url(),
        &[
            &["suppress", "holds"],
            &["suppress", "holds", "-o", "wide"],
            &["suppress", "holds", "-o", "json"],
            &["explain", "target", "welcome/a1/r1"],
            &["describe", "target", "welcome/a1/r1"],
            &[&["suppress", "release", PHONE, "--account", "a2"], &maria[..]].concat(),
            &[&["suppress", "release", PHONE, "--account", "a1", "--reason", "they like it"], &maria[..]].concat(),
            &[&["suppress", "release", PHONE, "-o", "json"], &maria[..]].concat(),
        ],
    );
    insta::assert_snapshot!(told);
}
