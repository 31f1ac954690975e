//! STOP takes effect at once and everywhere; START undoes what a STOP did, and brings nobody back into a run.

use std::io::Cursor;

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction};
use relance::core::domain::{AccountId, CampaignId, Phone};
use relance::facts::{Source, import};
use relance::store::{Age, Inbound, ReplyEffects};
use sqlx::Connection;

use crate::accidents::tree;
use crate::support::facts::Person;
use crate::support::world::{Fault, World};

const MONDAY: &str = "2026-11-30T08:00:00Z";
const PHONE: &str = "+237671000001";

/// One phone with two accounts, and somebody else with the first; a campaign of two days.
pub(crate) async fn world() -> World {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.account("a2").await;
    world.person(Person::new("r1", PHONE)).await;
    world.person(Person::new("r2", "+237671000002")).await;
    world.person(Person { account: "a2", ..Person::new("r3", PHONE) }).await;
    world.apply(&tree("")).await;
    world
}

pub(crate) fn said(account: i32, phone: &str, text: &str) -> Inbound {
    Inbound { account: AccountId(account), phone: Phone::trusted(phone.to_owned()), text: text.to_owned() }
}

async fn reply(world: &World, replies: &[Inbound]) -> ReplyEffects {
    world.store().reply(replies, world.now).await.unwrap()
}

async fn suppressed(world: &World) -> Vec<String> {
    world.column("select phone || ' ' || source from suppression order by 1").await
}

#[tokio::test]
async fn a_stop_exits_every_run_of_every_account_at_once() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    assert_eq!(world.channel.delivered().len(), 3);
    let heard = reply(&world, &[said(1, PHONE, " Arrêtez ! "), said(1, "+237671000002", "merci, à demain ?")]).await;
    let expected = ReplyEffects {
        stopped: vec![(AccountId(1), Phone::trusted(PHONE.to_owned()))],
        exited: 2,
        ..ReplyEffects::default()
    };
    assert_eq!(heard, expected);
    // Nothing had to be due for it.
    let now = ["r1 welcome exited opted-out day 2", "r2 welcome active day 2", "r3 welcome exited opted-out day 2"];
    assert_eq!(world.targets().await, now);
    assert_eq!(suppressed(&world).await, [format!("{PHONE} reply")]);
    // The run of the second account has nobody left: it ends now, not when somebody would have been due.
    world.settle().await;
    assert_eq!(world.runs().await, ["welcome a1 active running", "welcome a2 completed drained"]);
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.channel.delivered().len(), 4);
}

#[tokio::test]
async fn a_stop_cancels_a_message_that_waits_for_a_retry() {
    let mut world = world().await;
    world.channel.fail(PHONE, &[Fault::Busy, Fault::Busy, Fault::Busy]);
    world.run_until("2026-11-30T14:01:00Z".parse().unwrap()).await;
    assert_eq!(world.messages().await[0], "r1 welcome day 1 queued attempt 1");
    reply(&world, &[said(1, PHONE, "STOP")]).await;
    assert_eq!(world.messages().await[0], "r1 welcome day 1 failed attempt 1");
    let error: String = world.one("select error from message where referral_id = 1").await;
    assert_eq!(error, "throttled; the person left");
    world.run_for(TimeDelta::days(2)).await;
    assert!(world.channel.delivered().iter().all(|(phone, _)| phone != PHONE));
}

#[tokio::test]
async fn a_message_in_flight_completes_without_reactivating_its_target() {
    for (outcome, after) in [
        (Outcome::accepted("x".to_owned()), "r1 welcome day 1 sent attempt 1"),
        (Outcome::Unknown { error: "?".to_owned() }, "r1 welcome day 1 uncertain attempt 1"),
        (Outcome::refused("busy", Reaction::Retry { after: None }), "r1 welcome day 1 failed attempt 1"),
    ] {
        let mut world = world().await;
        world.run_for(TimeDelta::hours(5)).await;
        world.now += TimeDelta::hours(2);
        let claim = world.claim(1_000).await;
        assert_eq!(claim.messages.len(), 3);
        assert_eq!(reply(&world, &[said(2, PHONE, "stop")]).await.exited, 2);
        assert_eq!(world.messages().await[0], "r1 welcome day 1 sending attempt 1");
        let outcomes: Vec<_> = claim.messages.into_iter().map(|message| (message, outcome.clone())).collect();
        world.store().save_outcomes(&outcomes, world.now).await.unwrap();
        assert_eq!(world.messages().await[0], after);
        assert_eq!(world.targets().await[0], "r1 welcome exited opted-out day 2");
        world.run_for(TimeDelta::days(3)).await;
        assert!(world.channel.delivered().iter().all(|(phone, _)| phone != PHONE));
        assert_eq!(world.wrong_counters().await, 0);
    }
}

#[tokio::test]
async fn a_start_lifts_a_stop_without_restoring_exited_targets() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    reply(&world, &[said(1, PHONE, "stop")]).await;
    world.settle().await;
    let heard = reply(&world, &[said(2, PHONE, "Start!")]).await;
    assert_eq!(heard.started, [(AccountId(2), Phone::trusted(PHONE.to_owned()))]);
    assert_eq!((heard.stopped.len(), heard.exited), (0, 0));
    assert_eq!(suppressed(&world).await, [""; 0]);
    world.run_for(TimeDelta::days(3)).await;
    let ended =
        ["r1 welcome exited opted-out day 2", "r2 welcome completed day 2", "r3 welcome exited opted-out day 2"];
    assert_eq!(world.targets().await, ended);
}

#[tokio::test]
async fn a_start_enrolls_the_person_into_new_runs_at_once() {
    let mut world = world().await;
    reply(&world, &[said(1, PHONE, "stop")]).await;
    world.apply(&tree("  enrollment: continuous")).await;
    world.settle().await;
    assert_eq!(world.targets().await, ["r2 welcome active day 1"]);
    reply(&world, &[said(1, PHONE, "start")]).await;
    world.settle().await;
    assert_eq!(world.targets().await.len(), 3);
}

#[tokio::test]
async fn a_start_lifts_only_an_opt_out_made_by_reply() {
    let world = world().await;
    world.sql(&format!("insert into suppression values ('{PHONE}', 'import', '2026-11-01Z')")).await;
    assert_eq!(reply(&world, &[said(1, PHONE, "stop")]).await.stopped, []);
    assert_eq!(reply(&world, &[said(1, PHONE, "start")]).await, ReplyEffects::default());
    assert_eq!(suppressed(&world).await, [format!("{PHONE} import")]);
    // Nor does it make anything of somebody who never said STOP.
    assert_eq!(reply(&world, &[said(1, "+237671000002", "start")]).await, ReplyEffects::default());
    assert_eq!(reply(&world, &[said(1, "+237671000002", "merci")]).await, ReplyEffects::default());
}

#[tokio::test]
async fn accident_14_an_import_never_lifts_a_stop() {
    let mut world = world().await;
    reply(&world, &[said(1, PHONE, "stop")]).await;
    world.now += TimeDelta::hours(1);
    let file = "id,account_id,name,phone,country,registered_at,consent,updated_at\n\
                r1,a1,Paul,671000001,CM,2026-11-20T10:00:00Z,opted_in,2026-11-30T08:59:00Z\n\
                r9,a2,Paul again,671000001,CM,2026-11-29T10:00:00Z,opted_in,2026-11-30T08:59:00Z\n";
    let source = Source::stream("test", Cursor::new(file.to_owned().into_bytes()));
    import::referrals(world.store(), source, Age { as_of: world.now, now: world.now }).await.unwrap();
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(suppressed(&world).await, [format!("{PHONE} reply")]);
    assert_eq!(world.targets().await, ["r2 welcome completed day 2"]);
}

#[tokio::test]
async fn a_batch_of_replies_has_the_same_effect_as_single_replies() {
    let cases = [
        ["stop", "start"],
        ["start", "stop"],
        ["stop", "stop"],
        ["stop", "hm"],
        ["start", "start"],
        ["did you stop?", "stop"],
        ["did you stop?", "start"],
        ["stop", "did you stop?"],
        ["start", "did you stop?"],
        ["did you stop?", "don't stop"],
    ];
    let holds = "select concat_ws(' ', account_id, phone, text) from person_hold order by 1";
    for words in cases {
        let (mut together, mut apart) = (world().await, world().await);
        for world in [&mut together, &mut apart] {
            world.run_for(TimeDelta::hours(7)).await;
        }
        let replies = words.map(|text| said(1, PHONE, text));
        reply(&together, &replies).await;
        for one in &replies {
            reply(&apart, std::slice::from_ref(one)).await;
        }
        assert_eq!(together.targets().await, apart.targets().await, "{words:?}");
        assert_eq!(suppressed(&together).await, suppressed(&apart).await, "{words:?}");
        assert_eq!(together.column(holds).await, apart.column(holds).await, "{words:?}");
    }
}

#[tokio::test]
async fn a_concurrent_stop_prevents_enrollment() {
    let mut world = world().await;
    let (program, _) = world.program().await;
    world.store().advance_runs(&program, world.now).await.unwrap();
    // Somebody else is busy with the account: the reply has begun and waits for its lane.
    let mut other = sqlx::PgConnection::connect(&world.url()).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    sqlx::query("select from lane where account_id = 1 for update").execute(&mut *tx).await.unwrap();
    let (store, now) = (world.store().clone(), world.now);
    let stop = tokio::spawn(async move { store.reply(&[said(1, PHONE, "stop")], now).await.unwrap() });
    while world.waiting_for_locks().await < 1 {
        tokio::task::yield_now().await;
    }
    let (store, campaign) = (world.store().clone(), CampaignId(1));
    let enroll = tokio::spawn(async move { store.enroll(&program, campaign, now).await.unwrap() });
    while !enroll.is_finished() && world.waiting_for_locks().await < 2 {
        tokio::task::yield_now().await;
    }
    tx.rollback().await.unwrap();
    stop.await.unwrap();
    enroll.await.unwrap();
    let lost = "select count(*) from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
                join suppression using (phone) where t.state = 'active'";
    assert_eq!(world.one::<i64>(lost).await, 0);
    // It comes again.
    world.settle().await;
    assert_eq!(world.targets().await, ["r2 welcome active day 1"]);
}
