//! Enrollment: limits, passes, accounts and registrations that come later.

use chrono::TimeDelta;

use super::{phone, world_of};
use crate::support::facts::Person;
use crate::support::trees::{NO_PACE, tree};

#[tokio::test]
async fn once_takes_the_people_present_and_until_drained_takes_later_ones_too() {
    let mut world = world_of(2).await;
    world.account("a2").await;
    let campaigns = [
        ("once", "enrollment: once, schedule: {every: 48h}"),
        ("drained", "enrollment: untilDrained, schedule: {every: 48h}"),
        ("continuous", "enrollment: continuous, schedule: {endAt: 2026-12-20}"),
    ];
    world.apply(&tree(2, NO_PACE, &campaigns)).await;
    world.settle().await;
    world.person(Person::new("late", &phone(99))).await;
    world.settle().await;
    let taken = world.column("select c.name || ' ' || count(*) from target t join campaign c on c.id = t.campaign_id group by c.name order by 1").await;
    assert_eq!(taken, ["continuous 3", "drained 3", "once 2"]);
    world.run_for(TimeDelta::days(15)).await;
    let runs = world.runs().await;
    let a1: Vec<_> = runs.iter().filter(|run| run.contains(" a1 ")).collect();
    assert_eq!(a1, ["continuous a1 active running", "drained a1 completed drained", "once a1 completed drained"]);
    // a2 has nobody: its runs wait for their first person.
    let a2: Vec<_> = runs.iter().filter(|run| run.contains(" a2 ")).collect();
    assert_eq!(
        a2,
        ["continuous", "drained", "once"].map(|name| format!("{name} a2 scheduled waiting-for-people")).each_ref()
    );
    world.run_for(TimeDelta::days(10)).await;
    assert!(world.runs().await.contains(&"continuous a1 completed ended".to_owned()));
    assert_eq!(world.channel.delivered().len(), 2 * (3 + 3 + 2));
}

#[tokio::test]
async fn a_limit_of_targets_takes_the_newest_people_and_holds_for_ever() {
    let mut world = world_of(0).await;
    world.account("a2").await;
    for n in 0..20 {
        let registered_at = format!("2026-11-{:02}T10:00:00Z", 1 + n);
        let account = if n % 2 == 0 { "a1" } else { "a2" };
        world
            .person(Person { account, registered_at: &registered_at, ..Person::new(&format!("r{n:02}"), &phone(n)) })
            .await;
    }
    let yaml = tree(1, NO_PACE, &[("c", "enrollment: continuous, limits: {targets: 3}")]);
    let counted = world.would_enroll(&yaml).await;
    world.apply(&yaml).await;
    world.settle().await;
    let taken = world.column("select external_id from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id) order by 1").await;
    assert_eq!(taken, ["r14", "r15", "r16", "r17", "r18", "r19"]);
    assert_eq!(counted, 6, "the plan says how many are enrolled, limits included");
    // Those who finish make no room.
    world.run_for(TimeDelta::days(3)).await;
    world.facts_changed().await;
    world.settle().await;
    assert_eq!(world.count("target").await, 6);
    // A higher limit does.
    let yaml = tree(1, NO_PACE, &[("c", "enrollment: continuous, limits: {targets: 5}")]);
    assert_eq!(world.would_enroll(&yaml).await, 4);
    world.apply(&yaml).await;
    world.settle().await;
    assert_eq!(world.count("target").await, 10);
}

#[tokio::test]
async fn a_daily_limit_of_enrollments_counts_local_days() {
    let mut world = world_of(7).await;
    let yaml = tree(1, NO_PACE, &[("c", "limits: {dailyEnrollments: 3}")]);
    assert_eq!(world.would_enroll(&yaml).await, 3);
    world.apply(&yaml).await;
    world.run_for(TimeDelta::days(5)).await;
    let days = world.column("select (enrolled_at at time zone 'Africa/Douala')::date || ' ' || count(*) from target group by (enrolled_at at time zone 'Africa/Douala')::date order by 1").await;
    assert_eq!(days, ["2026-11-30 3", "2026-12-01 3", "2026-12-02 1"]);
    assert_eq!(world.runs().await, ["c a1 completed drained"]);
}

#[tokio::test]
async fn a_run_that_is_full_on_its_first_day_completes() {
    let mut world = world_of(5).await;
    world.apply(&tree(1, NO_PACE, &[("c", "limits: {dailyEnrollments: 3, targets: 3}")])).await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.count("target").await, 3);
    assert_eq!(world.runs().await, ["c a1 completed drained"]);
}

#[tokio::test]
async fn a_pass_without_room_does_not_complete_the_run() {
    let mut world = world_of(1).await;
    world.apply(&tree(1, NO_PACE, &[("c", "limits: {dailyEnrollments: 2}, schedule: {firstAfter: 1h}")])).await;
    world.settle().await;
    for n in 2..=5 {
        world.person(Person::new(&format!("r{n}"), &phone(n))).await;
    }
    // The second of the day is taken; then the day has no room.
    world.settle().await;
    world.facts_changed().await;
    world.run_for(TimeDelta::hours(4)).await;
    assert_eq!(world.count("target").await, 2);
    assert_eq!(world.runs().await, ["c a1 active running"], "three people wait for tomorrow");
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(world.channel.delivered().len(), 5);
    assert_eq!(world.runs().await, ["c a1 completed drained"]);
}

#[tokio::test]
async fn accounts_imported_after_the_campaign_get_their_runs() {
    let mut world = world_of(1).await;
    world.apply(&tree(1, NO_PACE, &[("c", "enrollment: continuous")])).await;
    world.run_for(TimeDelta::hours(8)).await;
    world.account("a2").await;
    world.person(Person { account: "a2", ..Person::new("r2", &phone(2)) }).await;
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.runs().await, ["c a1 active running", "c a2 active running"]);
    assert_eq!(world.channel.delivered().len(), 2);
}

#[tokio::test]
async fn a_recent_registration_is_enrolled_once_it_is_old_enough() {
    let mut world = world_of(0).await;
    world.person(Person { registered_at: "2026-11-30T07:30:00Z", ..Person::new("r1", &phone(1)) }).await;
    let yaml = tree(1, &format!("enrollAfter: 1h, {NO_PACE}"), &[("c", "")]).replace("filtered", "default");
    world.apply(&yaml).await;
    world.run_until("2026-11-30T08:30:00Z".parse().unwrap()).await;
    assert_eq!(world.targets().await.len(), 0);
    world.run_for(TimeDelta::seconds(1)).await;
    assert_eq!(world.targets().await, ["r1 c active day 1"]);
}
