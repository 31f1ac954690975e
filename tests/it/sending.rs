//! Sending, enrolling and ending, day by day: what the list of accidents does not show.

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction};
use relance::daemon::{BATCH, enroll, send};
use relance::store::{Span, Speed};

use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::{Fault, World};

/// A Monday, nine in the morning in Douala.
const MONDAY: &str = "2026-11-30T08:00:00Z";

fn phone(n: usize) -> String {
    format!("+237671{n:06}")
}

/// A world on Monday with `people` of one account.
async fn world_of(people: usize) -> World {
    let world = World::at(MONDAY).await;
    world.account("a1").await;
    for n in 1..=people {
        world.person(Person::new(&format!("r{n}"), &phone(n))).await;
    }
    world
}

#[tokio::test]
async fn a_refused_number_leaves_at_once_and_its_quota_goes_to_somebody_else() {
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
async fn two_failed_days_in_a_row_are_the_end() {
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
async fn a_failed_day_is_erased_after_one_that_went_well() {
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
async fn a_failed_day_is_erased_after_one_that_nobody_knows_of() {
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
async fn an_old_crash_does_not_end_who_is_just_being_sent_the_last_day() {
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
async fn an_outcome_that_comes_after_the_lease_says_only_that_it_left() {
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
async fn a_day_that_comes_back_after_the_next_one_left_is_made_up_for_and_nothing_leaves_twice() {
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

#[tokio::test]
async fn without_its_manifest_a_campaign_is_cancelled_and_nothing_more_leaves() {
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
async fn cancelled_in_the_middle_of_a_hand_over_nothing_is_tried_again() {
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
async fn a_pause_holds_everybody_and_resuming_makes_no_burst() {
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
async fn two_campaigns_write_to_one_person_once_a_day_and_the_first_by_priority() {
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
async fn scarce_room_in_a_batch_goes_by_priority_too() {
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
async fn a_lane_that_somebody_holds_is_left_alone_and_not_waited_for() {
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
async fn who_waits_longest_goes_first_within_a_run() {
    let mut world = world_of(4).await;
    world.apply(&tree(2, NO_PACE, &[("c", "limits: {messagesPerDay: 1}")])).await;
    world.settle().await;
    world.sql("update target set due_at = '2026-11-30T09:00:00Z' where referral_id = (select id from referral where external_id = 'r3')").await;
    world.run_for(TimeDelta::hours(7)).await;
    assert_eq!(world.messages().await, ["r3 c day 1 sent attempt 1"]);
}

#[tokio::test]
async fn daily_caps_follow_the_local_day_through_the_change_to_summer_time() {
    let mut world = World::at("2027-03-25T12:00:00Z").await;
    world.account("a1").await;
    world.sql("update account set timezone = 'Europe/Paris'").await;
    for n in 0..14 {
        world.person(Person::new(&format!("r{n:02}"), &phone(n))).await;
    }
    let caps = format!("{NO_PACE}, limits: {{messagesPerDay: 2}}");
    world.apply(&tree(1, &caps, &[("c", ALWAYS)])).await;
    world.run_for(TimeDelta::days(6)).await;
    let days = world
        .column("select (sent_at at time zone 'Europe/Paris')::date || ' ' || count(*) from message group by (sent_at at time zone 'Europe/Paris')::date order by 1")
        .await;
    let expected: Vec<String> = (25..=31).map(|day| format!("2027-03-{day} 2")).collect();
    assert_eq!(days, expected);
    // The Sunday began at 23:00 UTC and was over at 22:00 UTC: exactly at the local midnights.
    let instants =
        world.column("select distinct to_char(sent_at at time zone 'UTC', 'DD HH24:MI') from message order by 1").await;
    assert_eq!(instants, ["25 12:00", "25 23:00", "26 23:00", "27 23:00", "28 22:00", "29 22:00", "30 22:00"]);
}

#[tokio::test]
async fn nothing_leaves_outside_the_windows_nor_on_a_blacked_out_day() {
    let mut world = world_of(10).await;
    let schedule = "limits: {messagesPerDay: 3}, schedule: {firstAfter: 1h, every: 5h, blackouts: [2026-12-02], windows: [{days: [mon, wed, fri], from: '10:00', to: '12:00'}, {days: [sat], from: '18:30', to: '18:31'}]}";
    world.apply(&tree(2, NO_PACE, &[("c", schedule)])).await;
    world.run_for(TimeDelta::days(30)).await;
    assert_eq!(world.channel.delivered().len(), 20);
    let outside: i64 = world
        .one(
            "select count(*) from (select sent_at at time zone 'Africa/Douala' as t from message) m
             where not (extract(isodow from t) in (1, 3, 5) and t::time >= '10:00' and t::time < '12:00'
                        or extract(isodow from t) = 6 and t::time >= '18:30' and t::time < '18:31')
                or t::date = '2026-12-02'",
        )
        .await;
    assert_eq!(outside, 0);
    assert!(
        world
            .one::<bool>("select bool_or(extract(isodow from sent_at at time zone 'Africa/Douala') = 6) from message")
            .await
    );
}

#[tokio::test]
async fn a_shortened_sequence_completes_who_is_beyond_it_and_a_lengthened_one_goes_on() {
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
async fn once_takes_who_is_there_and_until_drained_goes_on_while_anybody_comes() {
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
    // a2 has nobody: there is nothing to wait for, except for ever.
    let a2: Vec<_> = runs.iter().filter(|run| run.contains(" a2 ")).collect();
    assert_eq!(a2, ["continuous a2 active running", "drained a2 completed drained", "once a2 completed drained"]);
    world.run_for(TimeDelta::days(10)).await;
    assert!(world.runs().await.contains(&"continuous a1 completed ended".to_owned()));
    assert_eq!(world.channel.delivered().len(), 2 * (3 + 3 + 2));
}

#[tokio::test]
async fn the_end_of_a_run_sends_whoever_is_left_away() {
    let mut world = world_of(2).await;
    world.apply(&tree(9, NO_PACE, &[("c", "schedule: {endAt: 2026-12-02T12:00}")])).await;
    world.run_for(TimeDelta::days(9)).await;
    assert_eq!(world.runs().await, ["c a1 completed ended"]);
    assert_eq!(world.channel.delivered().len(), 4);
    assert!(world.targets().await.iter().all(|target| target.contains("exited expired")));
}

#[tokio::test]
async fn a_limit_of_targets_holds_for_each_run_for_ever_and_takes_the_newest() {
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
async fn a_daily_limit_of_enrollments_counts_local_days_and_ends_when_all_are_taken() {
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
async fn a_run_that_is_full_on_its_first_day_ends() {
    let mut world = world_of(5).await;
    world.apply(&tree(1, NO_PACE, &[("c", "limits: {dailyEnrollments: 3, targets: 3}")])).await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.count("target").await, 3);
    assert_eq!(world.runs().await, ["c a1 completed drained"]);
}

#[tokio::test]
async fn a_pass_without_room_does_not_say_that_nobody_is_left() {
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
async fn accounts_that_come_after_the_campaign_get_their_runs() {
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
async fn young_registrations_are_taken_when_they_are_old_enough_and_not_before() {
    let mut world = world_of(0).await;
    world.person(Person { registered_at: "2026-11-30T07:30:00Z", ..Person::new("r1", &phone(1)) }).await;
    let yaml = tree(1, &format!("enrollAfter: 1h, {NO_PACE}"), &[("c", "")]).replace("filtered", "default");
    world.apply(&yaml).await;
    world.run_until("2026-11-30T08:30:00Z".parse().unwrap()).await;
    assert_eq!(world.targets().await.len(), 0);
    world.run_for(TimeDelta::seconds(1)).await;
    assert_eq!(world.targets().await, ["r1 c active day 1"]);
}

#[tokio::test]
async fn who_pays_or_says_stop_between_claims_gets_nothing_more() {
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
async fn an_account_that_expires_or_disconnects_is_held_and_goes_on_where_it_was() {
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

#[tokio::test]
async fn a_stale_program_claims_and_moves_nothing() {
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
async fn nobody_goes_before_people_of_a_higher_priority_whom_a_batch_did_not_ask_for() {
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
