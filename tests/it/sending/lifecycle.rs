//! The lifecycle while messages are under way: cancel, pause, changed sequences, the end of a run.

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction};

use super::world_of;
use crate::support::trees::{NO_PACE, tree};

#[tokio::test]
async fn a_campaign_without_its_manifest_is_cancelled_and_sends_nothing_more() {
    let mut world = world_of(3).await;
    world.apply(&tree(5, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::hours(7)).await;
    assert_eq!(world.channel.delivered().len(), 3);
    world.apply(&tree(5, NO_PACE, &[])).await;
    assert_eq!(world.runs().await, ["c a1 cancelled pruned"]);
    assert!(world.targets().await.iter().all(|target| target.contains("exited cancelled")));
    world.run_for(TimeDelta::days(9)).await;
    assert_eq!(world.channel.delivered().len(), 3);

    // The name comes back, as after a revert: whoever was in it never enters it again.
    world.apply(&tree(5, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::days(8)).await;
    assert_eq!(world.channel.delivered().len(), 3);
}

#[tokio::test]
async fn a_campaign_cancelled_during_a_hand_over_retries_nothing() {
    let mut world = world_of(1).await;
    world.apply(&tree(5, NO_PACE, &[("c", "")])).await;
    world.settle().await;
    world.now += TimeDelta::hours(7);
    let claim = world.claim(10).await;
    world.apply(&tree(5, NO_PACE, &[("c", "state: cancelled")])).await;
    let busy = Outcome::refused("busy", Reaction::Retry { after: None });
    world.store().save_outcomes(&[(claim.messages[0].clone(), busy)], world.now).await.unwrap();
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.channel.delivered(), []);
    assert!(world.targets().await[0].starts_with("r1 c exited cancelled"));
}

#[tokio::test]
async fn a_resumed_campaign_sends_at_its_pace_without_a_burst() {
    let mut world = world_of(12).await;
    let pace = "pacing: {every: 3m, jitter: 20s}";
    world.apply(&tree(3, pace, &[("c", "")])).await;
    world.run_for(TimeDelta::minutes(6 * 60 + 14)).await;
    let before = world.channel.delivered().len();
    assert!((3..=5).contains(&before), "{before}");

    world.apply(&tree(3, pace, &[("c", "state: paused")])).await;
    let targets = world.targets().await;
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(world.channel.delivered().len(), before);
    assert_eq!(world.runs().await, ["c a1 paused manifest"]);
    assert_eq!(world.targets().await, targets);

    world.apply(&tree(3, pace, &[("c", "")])).await;
    world.run_for(TimeDelta::days(8)).await;
    assert_eq!(world.channel.delivered().len(), 36);
    let closest: f64 = world
        .one("select extract(epoch from min(gap))::float8 from (select sent_at - lag(sent_at) over (order by sent_at) as gap from message) g")
        .await;
    assert!(closest >= 180.0, "two messages within {closest} s");
    let doubles = "select count(*) from (select from message group by referral_id, quota_date having count(*) > 1) d";
    assert_eq!(world.one::<i64>(doubles).await, 0);
}

#[tokio::test]
async fn a_shortened_sequence_completes_people_beyond_it_and_a_longer_one_goes_on() {
    let mut world = world_of(1).await;
    world.apply(&tree(3, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::hours(7)).await;
    world.apply(&tree(1, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.channel.delivered().len(), 1);
    assert!(world.targets().await[0].starts_with("r1 c completed"));
    assert_eq!(world.runs().await, ["c a1 completed drained"]);

    let mut world = world_of(1).await;
    world.apply(&tree(2, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::hours(7)).await;
    world.apply(&tree(4, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::days(5)).await;
    assert_eq!(world.channel.keys().iter().map(|key| key.day).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn the_end_of_a_run_exits_everybody_left() {
    let mut world = world_of(2).await;
    world.apply(&tree(9, NO_PACE, &[("c", "schedule: {endAt: 2026-12-02T12:00}")])).await;
    world.run_for(TimeDelta::days(9)).await;
    assert_eq!(world.runs().await, ["c a1 completed ended"]);
    assert_eq!(world.channel.delivered().len(), 4);
    assert!(world.targets().await.iter().all(|target| target.contains("exited expired")));
}

#[tokio::test]
async fn a_person_who_pays_or_says_stop_between_claims_gets_nothing_more() {
    let mut world = world_of(3).await;
    world.apply(&tree(4, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::hours(7)).await;
    world.pay("r1", "2026-11-30T16:00:00Z").await;
    world.sql("insert into suppression select phone, 'reply', '2026-11-30T16:00:00Z' from referral where external_id = 'r2'").await;
    world.consent("r3", Some("opted_out")).await;
    world.run_for(TimeDelta::days(5)).await;
    assert_eq!(world.channel.delivered().len(), 3);
    let exits = world.column("select exit_reason from target order by referral_id").await;
    assert_eq!(exits, ["paid", "opted-out", "opted-out"]);
}

#[tokio::test]
async fn an_expired_or_disconnected_account_continues_where_it_was() {
    let mut world = world_of(2).await;
    world.apply(&tree(2, NO_PACE, &[("c", "")])).await;
    world.run_for(TimeDelta::hours(1)).await;
    world.numbers_are("disconnected").await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.channel.delivered(), []);
    world.sql("update account set whatsapp_status = null, subscription_ends_at = '2026-12-01Z'").await;
    world.facts_changed().await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.channel.delivered(), []);
    world.subscriptions_end(Some("2027-12-01Z")).await;
    world.facts_changed().await;
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(world.channel.delivered().len(), 4);
}
