//! Local time: whole days keep a person's hour over clock changes, and windows may be in the time of each person.

use chrono::TimeDelta;
use relance::store::Speed;
use serde_json::Value;

use crate::get::relancectl;
use crate::support::facts::Person;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::World;

/// The local instants at which one person of an account in `zone` gets the days of a campaign.
async fn instants(zone: &str, begin: &str, schedule: &str) -> Vec<String> {
    let mut world = World::at(begin).await;
    world.account("a1").await;
    world.sql(&format!("update account set timezone = '{zone}'")).await;
    world.person(Person::new("r1", "+237671000001")).await;
    world.apply(&tree(3, NO_PACE, &[("c", &format!("schedule: {{firstAfter: 0s, {schedule}}}"))])).await;
    world.run_for(TimeDelta::days(8)).await;
    let instants = format!("select to_char(sent_at at time zone '{zone}', 'MM-DD HH24:MI') from message order by day");
    world.column(&instants).await
}

const DAY: &str = "windows: [{from: '08:00', to: '20:00'}]";

#[tokio::test]
async fn whole_days_keep_the_local_hour_over_clock_changes() {
    for (zone, begin, every, expected) in [
        // Ten o'clock stays ten o'clock when Paris goes forward, and back.
        ("Europe/Paris", "2027-03-26T09:00:00Z", "24h", ["03-26 10:00", "03-27 10:00", "03-28 10:00"]),
        ("Europe/Paris", "2027-03-26T09:00:00Z", "1d", ["03-26 10:00", "03-27 10:00", "03-28 10:00"]),
        ("Europe/Paris", "2027-10-29T08:00:00Z", "48h", ["10-29 10:00", "10-31 10:00", "11-02 10:00"]),
        // An evening in Casablanca does not slip out of its window at the end of Ramadan.
        ("Africa/Casablanca", "2027-03-12T19:30:00Z", "1440m", ["03-12 19:30", "03-13 19:30", "03-14 19:30"]),
        ("America/New_York", "2027-03-12T20:00:00Z", "24h", ["03-12 15:00", "03-13 15:00", "03-14 15:00"]),
        // Hours that are no whole days count as they pass.
        ("Europe/Paris", "2027-03-26T09:00:00Z", "25h", ["03-26 10:00", "03-27 11:00", "03-28 13:00"]),
        ("Africa/Douala", "2027-03-26T09:00:00Z", "24h", ["03-26 10:00", "03-27 10:00", "03-28 10:00"]),
    ] {
        assert_eq!(instants(zone, begin, &format!("every: {every}, {DAY}")).await, expected, "{zone} {every}");
    }
}

#[tokio::test]
async fn a_first_day_of_whole_days_keeps_the_hour_of_the_enrollment() {
    let mut world = World::at("2027-03-27T09:00:00Z").await;
    for (account, zone) in [("a1", "Europe/Paris"), ("a2", "Africa/Douala")] {
        world.account(account).await;
        world.sql(&format!("update account set timezone = '{zone}' where external_id = '{account}'")).await;
        world.person(Person { account, ..Person::new(account, &format!("+23767100000{}", &account[1..])) }).await;
    }
    world.apply(&tree(1, NO_PACE, &[("c", &format!("schedule: {{firstAfter: 24h, {DAY}}}"))])).await;
    world.run_for(TimeDelta::days(2)).await;
    let sent = "select r.external_id || to_char(m.sent_at at time zone 'UTC', ' MM-DD HH24:MI')
                from message m join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id) order by 1";
    assert_eq!(world.column(sent).await, ["a1 03-28 08:00", "a2 03-28 09:00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_recipients_open_in_their_own_zone() {
    let mut world = World::at("2026-11-30T05:00:00Z").await;
    world.account("a1").await;
    // The account is in Douala, where it is six o'clock. The zone is told, that of the country, or unknown.
    let people =
        [("tokyo", "CM", Some("Asia/Tokyo")), ("nepal", "NP", None), ("london", "GB", None), ("usa", "US", None)];
    for (n, (id, country, zone)) in (1..).zip(people) {
        world.person(Person::new(id, &format!("+23767100000{n}"))).await;
        let zone = zone.map_or("null".to_owned(), |zone| format!("'{zone}'"));
        world
            .sql(&format!("update referral set country = '{country}', timezone = {zone} where external_id = '{id}'"))
            .await;
    }
    let spec = format!("schedule: {{firstAfter: 0s, zone: recipient, {DAY}}}");
    world.apply(&tree(2, NO_PACE, &[("c", &spec)])).await;
    world.settle().await;
    world.now += TimeDelta::minutes(1);
    world.settle().await;
    // Those who wait for their own morning hold nobody else.
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let (text, ..) = relancectl(&world.url(), &["explain", "target", "c/a1/london"]);
    assert!(text.contains("outside-window") || text.contains("08:00"), "{text}");
    let (text, ..) = relancectl(&world.url(), &["get", "targets", "-o", "json"]);
    let targets: Value = serde_json::from_str(&text).unwrap();
    let due = |id: &str| {
        let mut targets = targets.as_array().unwrap().iter();
        targets.find(|target| target["referral"] == id).unwrap()["next_due_at"].as_str().unwrap()[..16].to_owned()
    };
    assert_eq!(due("london"), "2026-11-30T08:00");
    assert_eq!(due("tokyo"), "2026-12-01T05:00");
    world.run_for(TimeDelta::days(2)).await;
    let sent = "select r.external_id || to_char(m.sent_at at time zone 'UTC', ' DD HH24:MI')
                from message m join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id) order by 1";
    assert_eq!(
        world.column(sent).await,
        [
            "london 01 08:00",
            "london 30 08:00",
            "nepal 01 05:00",
            "nepal 30 05:01",
            "tokyo 01 05:00",
            "tokyo 30 05:01",
            "usa 01 07:00",
            "usa 30 07:00",
        ]
    );
    assert_eq!(world.wrong_counters().await, 0);
}

#[tokio::test]
async fn days_of_recipients_are_their_own_days_over_a_clock_change() {
    // Ten o'clock in Paris, for an account in Douala that has no clock changes.
    let mut world = World::at("2027-03-26T09:00:00Z").await;
    world.account("a1").await;
    for (n, country) in (1..).zip(["FR", "CM"]) {
        world.person(Person::new(country, &format!("+23767100000{n}"))).await;
        world.sql(&format!("update referral set country = '{country}' where external_id = '{country}'")).await;
    }
    let spec = format!("schedule: {{firstAfter: 0s, zone: recipient, {DAY}}}");
    world.apply(&tree(3, NO_PACE, &[("c", &spec)])).await;
    world.run_for(TimeDelta::days(3)).await;
    let sent = "select r.external_id || to_char(m.sent_at at time zone 'UTC', ' DD HH24:MI')
                from message m join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id) order by 1";
    let expected = ["CM 26 09:00", "CM 27 09:00", "CM 28 09:00", "FR 26 09:00", "FR 27 09:00", "FR 28 08:00"];
    assert_eq!(world.column(sent).await, expected);
}
