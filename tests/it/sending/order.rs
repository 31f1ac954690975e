//! The order in which people are sent to, and the locks of a claim.

use chrono::TimeDelta;
use relance::daemon::{BATCH, enroll, send};
use relance::store::{Span, Speed};

use super::world_of;
use crate::support::trees::{NO_PACE, tree};

#[tokio::test]
async fn a_person_in_two_campaigns_gets_one_message_a_day_by_priority() {
    let mut world = world_of(2).await;
    // Made first and named first, yet second in priority.
    let campaigns = [("a-later", "priority: 50"), ("b-first", "priority: 5")];
    world.apply(&tree(3, NO_PACE, &campaigns)).await;
    world.run_for(TimeDelta::days(12)).await;
    let days = world
        .column("select string_agg(left(c.name, 1) || m.day, ' ' order by m.sent_at) from message m join campaign c on c.id = m.campaign_id group by m.referral_id")
        .await;
    for sequence in &days {
        assert!(sequence.starts_with("b1"), "{sequence}");
        assert_eq!(sequence.split(' ').count(), 6);
    }
    let doubles = "select count(*) from (select from message group by referral_id, quota_date having count(*) > 1) d";
    assert_eq!(world.one::<i64>(doubles).await, 0);
    assert_eq!(world.runs().await, ["a-later a1 completed drained", "b-first a1 completed drained"]);
}

#[tokio::test]
async fn scarce_room_in_a_batch_goes_by_priority() {
    let mut world = world_of(6).await;
    let campaigns = [("a-later", "priority: 50"), ("b-first", "priority: 5")];
    world.apply(&tree(2, &format!("{NO_PACE}, limits: {{messagesPerDay: 3}}"), &campaigns)).await;
    world.settle().await;
    world.now += TimeDelta::hours(7);
    for _ in 0..3 {
        let claim = world.claim(1).await;
        assert_eq!(claim.messages.len(), 1);
    }
    assert_eq!(
        world
            .one::<i64>(
                "select count(*) from message m join campaign c on c.id = m.campaign_id where c.name = 'b-first'"
            )
            .await,
        3
    );
}

#[tokio::test]
async fn a_claim_skips_a_locked_lane_without_waiting() {
    let mut world = world_of(2).await;
    world.apply(&tree(2, NO_PACE, &[("c", "")])).await;
    world.settle().await;
    world.now += TimeDelta::hours(7);
    let mut held = world.pool().begin().await.unwrap();
    sqlx::query("select from lane for update").execute(&mut *held).await.unwrap();
    let claim = tokio::time::timeout(std::time::Duration::from_secs(20), world.claim(10)).await.unwrap();
    assert_eq!((claim.lanes, claim.messages.len()), (0, 0));
    held.rollback().await.unwrap();
    assert_eq!(world.claim(10).await.messages.len(), 2);
}

#[tokio::test]
async fn the_longest_overdue_person_of_a_run_goes_first() {
    let mut world = world_of(4).await;
    world.apply(&tree(2, NO_PACE, &[("c", "limits: {messagesPerDay: 1}")])).await;
    world.settle().await;
    world.sql("update target set due_at = '2026-11-30T09:00:00Z' where referral_id = (select id from referral where external_id = 'r3')").await;
    world.run_for(TimeDelta::hours(7)).await;
    assert_eq!(world.messages().await, ["r3 c day 1 sent attempt 1"]);
}

#[tokio::test]
async fn a_stale_program_claims_nothing() {
    let mut world = world_of(2).await;
    world.apply(&tree(2, NO_PACE, &[("c", "")])).await;
    world.settle().await;
    world.now += TimeDelta::hours(7);
    let (old, channels) = world.program().await;
    world.apply(&tree(2, NO_PACE, &[("c", "state: paused")])).await;
    let sent = send(world.store(), &old, &channels, BATCH, (Span::now(world.now), Speed(1.0))).await.unwrap();
    assert_eq!((sent.messages, sent.lanes), (0, 0));
    assert_eq!(world.store().advance_runs(&old, world.now).await.unwrap(), 0);
    assert_eq!(enroll(world.store(), &old, world.now).await.unwrap(), 0);
    assert_eq!(world.channel.delivered(), []);
}

#[tokio::test]
async fn people_of_a_higher_priority_outside_the_batch_still_go_first() {
    let mut world = world_of(6).await;
    let campaigns = [("a-later", "priority: 50"), ("b-first", "priority: 5, limits: {messagesPerDay: 5}")];
    world.apply(&tree(2, &format!("{NO_PACE}, limits: {{messagesPerDay: 6}}"), &campaigns)).await;
    world.settle().await;
    world.now += TimeDelta::hours(7);
    // Two people of each campaign are asked for at a time: were all four written to, the later one would take three of six.
    for _ in 0..8 {
        world.claim_of(2).await;
    }
    let written = "select c.name || ' ' || count(*) from message m join campaign c on c.id = m.campaign_id group by c.name order by 1";
    assert_eq!(world.column(written).await, ["a-later 1", "b-first 5"]);
}
