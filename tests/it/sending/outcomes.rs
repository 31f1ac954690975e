//! The outcome of an attempt: failed days, crashes, leases that expire, and people who leave.

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction};

use super::{phone, world_of};
use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::{Fault, World};

#[tokio::test]
async fn an_undeliverable_person_leaves_and_their_quota_goes_to_another() {
    let mut world = world_of(2).await;
    world.channel.fail(&phone(1), &[Fault::NoSuchNumber]);
    world.sql("update referral set registered_at = '2026-11-25T10:00:00Z' where external_id = 'r1'").await;
    world.apply(&tree(3, NO_PACE, &[("c", "limits: {messagesPerDay: 1}")])).await;
    world.run_for(TimeDelta::hours(11)).await;
    assert_eq!(world.messages().await, ["r1 c day 1 failed attempt 1", "r2 c day 1 sent attempt 1"]);
    assert_eq!(world.one::<String>("select exit_reason from target where state = 'exited'").await, "undeliverable");
    assert_eq!(world.taken().await, (1, 1));
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(world.channel.delivered().len(), 3);
}

#[tokio::test]
async fn two_failed_days_in_a_row_end_a_target() {
    let mut world = world_of(1).await;
    world.channel.fail(&phone(1), &[Fault::Busy; 6]);
    world.apply(&tree(4, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::days(6)).await;
    assert_eq!(world.messages().await, ["r1 c day 1 failed attempt 3", "r1 c day 2 failed attempt 3"]);
    assert!(world.targets().await[0].starts_with("r1 c exited failed"), "{:?}", world.targets().await);
    assert_eq!(world.runs().await, ["c a1 completed drained"]);
    assert_eq!(world.taken().await, (0, 0));
}

#[tokio::test]
async fn a_sent_day_resets_the_count_of_failed_days() {
    let mut world = world_of(1).await;
    let busy = [Fault::Busy; 3];
    let days = [&busy[..], &[Fault::Fine], &busy, &[Fault::NoAnswer], &busy, &[Fault::Fine]].concat();
    world.channel.fail(&phone(1), &days);
    world.apply(&tree(6, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::days(8)).await;
    assert_eq!(world.targets().await, ["r1 c completed day 6"]);
    assert_eq!(world.channel.keys().iter().map(|key| key.day).collect::<Vec<_>>(), [2, 4, 6]);
}

#[tokio::test]
async fn an_uncertain_day_resets_the_count_of_failed_days() {
    let mut world = world_of(1).await;
    world.channel.fail(&phone(1), &[Fault::Busy; 3]);
    world.apply(&tree(4, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::hours(29)).await;
    world.now += TimeDelta::hours(2);
    assert_eq!(world.die_after_the_hand_over().await, 1);
    world.run_for(TimeDelta::hours(1)).await;
    world.channel.fail(&phone(1), &[Fault::Busy; 3]);
    world.run_for(TimeDelta::days(4)).await;
    // Failed, uncertain, failed: not two in a row.
    assert_eq!(world.targets().await, ["r1 c completed day 4"]);
}

#[tokio::test]
async fn a_crash_on_the_last_day_completes_the_target() {
    let mut world = world_of(1).await;
    world.apply(&tree(1, NO_PACE, &[("c", "")])).await;
    world.settle().await;
    world.now += TimeDelta::hours(7);
    assert_eq!(world.die_after_the_hand_over().await, 1);
    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 active running"]);
    world.run_for(TimeDelta::minutes(2)).await;
    assert_eq!(world.messages().await, ["r1 c day 1 uncertain attempt 1"]);
    assert_eq!(world.targets().await, ["r1 c completed day 1"]);
    assert_eq!(world.runs().await, ["c a1 completed drained"]);
}

#[tokio::test]
async fn an_expired_lease_of_an_earlier_day_does_not_end_a_target_on_its_last_day() {
    let mut world = world_of(1).await;
    world.apply(&tree(2, NO_PACE, &[("c", "")])).await;
    world.settle().await;
    world.now += TimeDelta::hours(7);
    assert_eq!(world.die_before_the_hand_over().await, 1);
    // Down for a day. Who comes back claims the last day before anybody has looked at the old lease.
    world.now += TimeDelta::days(1);
    let claim = world.claim(10).await;
    assert_eq!(claim.messages.len(), 1);
    assert_eq!(world.store().expire_leases(world.now).await.unwrap(), 1);
    let busy = Outcome::refused("busy", Reaction::Retry { after: None });
    let outcomes = [(claim.messages[0].clone(), busy)];
    world.store().save_outcomes(&outcomes, world.now).await.unwrap();
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.messages().await, ["r1 c day 1 uncertain attempt 1", "r1 c day 2 sent attempt 2"]);
    assert_eq!(world.targets().await, ["r1 c completed day 2"]);
}

#[tokio::test]
async fn an_outcome_after_the_lease_only_records_that_the_message_left() {
    let mut world = world_of(3).await;
    world.apply(&tree(2, NO_PACE, &[("c", "")])).await;
    world.settle().await;
    world.now += TimeDelta::hours(7);
    let claim = world.claim(10).await;
    world.now += TimeDelta::minutes(2);
    assert_eq!(world.store().expire_leases(world.now).await.unwrap(), 3);
    let error = || "late".to_owned();
    let answers = [
        Outcome::accepted("x".to_owned()),
        Outcome::refused(error(), Reaction::Retry { after: None }),
        Outcome::refused(error(), Reaction::Leave),
    ];
    let mut claimed = claim.messages.clone();
    claimed.sort_by_key(|message| message.key.target.referral);
    let outcomes: Vec<_> = claimed.into_iter().zip(answers).collect();
    world.store().save_outcomes(&outcomes, world.now).await.unwrap();
    let expected = ["r1 c day 1 sent attempt 1", "r2 c day 1 uncertain attempt 1", "r3 c day 1 uncertain attempt 1"];
    assert_eq!(world.messages().await, expected);
    assert_eq!(world.targets().await, ["r1 c active day 2", "r2 c active day 2", "r3 c active day 2"]);
    // Uncertain counts as sent: no quota came back.
    assert_eq!(world.taken().await, (3, 3));
    // The same outcomes once more change nothing.
    world.store().save_outcomes(&outcomes, world.now).await.unwrap();
    assert_eq!(world.messages().await, expected);
}

#[tokio::test]
async fn a_day_given_back_after_the_next_one_left_is_sent_once() {
    let mut world = World::at("2026-11-30T22:59:00Z").await;
    world.account("a1").await;
    world.person(Person::new("r1", &phone(1))).await;
    let always = ALWAYS.replace("firstAfter: 0s", "firstAfter: 58s, every: 30s");
    world.apply(&tree(3, NO_PACE, &[("c", &always)])).await;
    world.settle().await;
    // Day 1 is claimed just before midnight, and its sender is slow. Day 2 leaves just after midnight.
    world.now = "2026-11-30T22:59:59.9Z".parse().unwrap();
    let claim = world.claim(10).await;
    assert_eq!(claim.messages.len(), 1);
    world.now += TimeDelta::seconds(40);
    world.settle().await;
    assert_eq!(world.channel.keys().iter().map(|key| key.day).collect::<Vec<_>>(), [2]);
    let busy = Outcome::refused("busy", Reaction::Retry { after: None });
    world.store().save_outcomes(&[(claim.messages[0].clone(), busy)], world.now).await.unwrap();
    let wrong = "select count(*) from lane l join run r using (account_id)
                 where l.taken <> r.taken or l.taken <> (select count(*) from message m where m.quota_date = l.taken_on)";
    for _ in 0..6 {
        world.run_for(TimeDelta::hours(12)).await;
        assert_eq!(world.one::<i64>(wrong).await, 0, "{:?}", world.messages().await);
    }
    assert_eq!(world.channel.keys().iter().map(|key| key.day).collect::<Vec<_>>(), [2, 1, 3]);
    assert_eq!(world.targets().await, ["r1 c completed day 3"]);
}
