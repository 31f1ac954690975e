//! Windows, blackout dates and daily caps in local time.

use chrono::TimeDelta;

use super::{phone, world_of};
use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

#[tokio::test]
async fn daily_caps_count_local_days_over_a_clock_change() {
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
async fn no_message_leaves_outside_windows_or_on_a_blackout_date() {
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
