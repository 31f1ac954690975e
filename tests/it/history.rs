//! Histories: what people are told happened, against what production did.

use chrono::TimeDelta;
use relance::core::domain::Timestamp;
use relance::store::query::{Entry, EntryKind, HistoryOf};

use crate::accidents::tree;
use crate::support::facts::Person;
use crate::support::world::{Fault, World};

const MONDAY: &str = "2026-11-30T08:00:00Z";

/// One account, `r1` to `r4`, and the campaign of the accidents in force.
async fn world() -> World {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    for n in 1..=4 {
        world.person(Person::new(&format!("r{n}"), &format!("+23767100000{n}"))).await;
    }
    world.apply(&tree("")).await;
    world
}

async fn of(world: &World, people: &[&str], limit: usize) -> Vec<Entry> {
    let ids: Vec<String> = people.iter().map(|&id| id.to_owned()).collect();
    world.store().history(HistoryOf::Referrals(&ids), limit).await.unwrap()
}

fn lines(entries: &[Entry]) -> String {
    entries.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_history_covers_a_person_from_registration_to_the_last_day() {
    let mut world = world().await;
    world.sql("update referral set consent_at = '2026-11-20T10:01Z', consent_source = 'form'").await;
    world.run_for(TimeDelta::hours(7)).await;
    world.sql("update message set state = 'read', delivered_at = sent_at + interval '1 min', read_at = sent_at + interval '1 hour'").await;
    // Paused until after the hour of day 2, and then it is night.
    world.apply(&tree("").replace("state: active", "state: paused")).await;
    world.run_for(TimeDelta::days(1) + TimeDelta::hours(5)).await;
    world.apply(&tree("")).await;
    world.run_for(TimeDelta::days(1)).await;
    insta::assert_snapshot!(lines(&of(&world, &["r1"], 100).await));
}

#[tokio::test]
async fn a_history_shows_every_kind_of_exit_and_failure() {
    let mut world = world().await;
    world.channel.fail("+237671000001", &[Fault::Busy, Fault::Fine]);
    world.channel.fail("+237671000002", &[Fault::NoSuchNumber]);
    world.channel.fail("+237671000003", &[Fault::Busy, Fault::Busy, Fault::Busy, Fault::NoAnswer]);
    world.run_for(TimeDelta::hours(7)).await;
    world.pay("r1", "2026-11-30T16:00Z").await;
    world.sql("insert into suppression values ('+237671000004', 'reply', '2026-11-30T17:00Z')").await;
    world.facts_changed().await;
    world.run_for(TimeDelta::days(2)).await;
    let entries = of(&world, &["r1", "r2", "r3", "r4"], 100).await;
    let told: Vec<Entry> = entries.into_iter().filter(|entry| entry.kind > EntryKind::Consent).collect();
    insta::assert_snapshot!(lines(&told));
}

#[tokio::test]
async fn a_run_history_lists_each_phase_change_once() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.account("a2").await;
    world.person(Person::new("r1", "+237671000001")).await;
    let scheduled = tree("  schedule: {startAt: '2026-12-01T09:00'}");
    world.apply(&scheduled).await;
    world.run_for(TimeDelta::days(1) + TimeDelta::hours(1)).await;
    // Looking again changes nothing, so nothing is told.
    world.sql("update run set check_at = now()").await;
    world.run_for(TimeDelta::hours(7)).await;
    world.apply(&scheduled.replace("jour 2.", "jour 2 à {{ attributes.city }}.")).await;
    world.run_for(TimeDelta::days(1)).await;
    world.apply(&scheduled).await;
    world.apply("").await;
    let run = HistoryOf::Run { campaign: "welcome", account: "a1" };
    let entries = world.store().history(run, 100).await.unwrap();
    insta::assert_snapshot!(lines(&entries), @"
    2026-11-30 08:00 welcome/a1: the run was made as draft (manifest): just created
    2026-11-30 08:00 welcome/a1: the run became scheduled (waiting-for-start): starts at 2026-12-01 08:00 UTC
    2026-12-01 08:00 welcome/a1: the run became active (running): enrolling and sending
    2026-12-02 14:00 welcome/a1: the run became paused (template-error): day 2 in `fr`: `attributes.city` is not defined
    2026-12-02 16:00 welcome/a1: the run became active (running): enrolling and sending
    2026-12-02 16:00 welcome/a1: the run became cancelled (pruned): its manifest is gone
    ");

    // The person's stay begins with their enrollment and ends with the run.
    let name = world.store().find_target("welcome/a1/r1").await.unwrap().unwrap();
    let target = world.store().history(HistoryOf::Target(&name), 100).await.unwrap();
    insta::assert_snapshot!(lines(&target), @"
    2026-11-20 10:00 a1/r1: registered
    2026-12-01 08:00 welcome/a1/r1: enrolled by revision 1
    2026-12-01 14:00 welcome/a1/r1: day 1 sent in `fr`
    2026-12-02 14:00 welcome/a1: the run became paused (template-error): day 2 in `fr`: `attributes.city` is not defined
    2026-12-02 16:00 welcome/a1: the run became active (running): enrolling and sending
    2026-12-02 16:00 welcome/a1: the run became cancelled (pruned): its manifest is gone
    2026-12-02 16:00 welcome/a1/r1: left (cancelled): the run was cancelled
    ");

    let last = world.store().history(run, 2).await.unwrap();
    assert_eq!(last, entries[entries.len() - 2..]);
    let account = world.store().history(HistoryOf::Account("a2"), 100).await.unwrap();
    assert!(account.iter().all(|entry| entry.account == "a2" && entry.referral.is_none()), "{account:?}");
    let kinds: Vec<EntryKind> = account.iter().map(|entry| entry.kind).collect();
    assert_eq!((kinds[0], kinds.len()), (EntryKind::RunCreated, 4));
}

#[tokio::test]
async fn a_restored_campaign_starts_a_new_history() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.person(Person::new("r1", "+237671000001")).await;
    world.apply(&tree("")).await;
    world.settle().await;
    world.apply("").await;
    world.settle().await;
    world.run_for(TimeDelta::days(1)).await;
    world.apply(&tree("")).await;
    world.settle().await;
    let run = HistoryOf::Run { campaign: "welcome", account: "a1" };
    let entries = world.store().history(run, 100).await.unwrap();
    let tuesday: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
    assert!(entries.iter().all(|entry| entry.at >= tuesday), "{entries:?}");
    let account = world.store().history(HistoryOf::Account("a1"), 100).await.unwrap();
    assert!(account.len() > entries.len());
}

#[tokio::test]
async fn histories_of_several_people_are_merged_by_time() {
    let mut world = world().await;
    world.run_for(TimeDelta::days(3)).await;
    let all = of(&world, &["r3", "r1", "nobody"], 100).await;
    assert!(all.is_sorted_by_key(|entry| entry.at));
    let one = of(&world, &["r1"], 100).await;
    let mine: Vec<Entry> = all.iter().filter(|entry| entry.referral.as_deref() != Some("r3")).cloned().collect();
    assert_eq!(mine, one);
    assert_eq!(of(&world, &["r3", "r1"], 3).await, all[all.len() - 3..]);
    assert_eq!(of(&world, &[], 3).await, []);
}
