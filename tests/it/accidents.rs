//! What went wrong in other systems (SPEC §10) and must be impossible here: a test for each, by its number.

use std::sync::Arc;

use chrono::TimeDelta;
use relance::daemon::{BATCH, Watermark, maintenance, send};
use relance::store::{Span, Speed, Terms};
use sqlx::Connection;

use crate::support::facts::Person;
use crate::support::world::{Fault, World};

const MONDAY: &str = "2026-11-30T08:00:00Z";

/// A sequence of two days and one filtered campaign over all accounts, with no pacing.
pub(crate) fn tree(spec: &str) -> String {
    format!(
        "{SEQUENCE}---
apiVersion: relance/v1
kind: Campaign
metadata: {{name: welcome}}
spec:
  type: filtered
  state: active
  accounts: all
  sequenceRef: two-days
  filter: {{subscription: unpaid}}
{spec}
"
    )
}

const SEQUENCE: &str = "apiVersion: relance/v1
kind: Defaults
metadata: {name: defaults}
spec: {pacing: {every: 0s, jitter: 0s}}
---
apiVersion: relance/v1
kind: Sequence
metadata: {name: two-days}
spec:
  fallbackLanguage: fr
  days:
    - day: 1
      text: {fr: 'Bonjour {{ name }}, jour 1. {{ optOutHint }}', en: 'Hello {{ name }}, day 1. {{ optOutHint }}'}
    - day: 2
      text: {fr: 'Bonjour {{ name }}, jour 2.', en: 'Hello {{ name }}, day 2.'}
";

/// One account with one person and the campaign above in force.
async fn world_with_one_person() -> World {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.person(Person::new("r1", "+237671000001")).await;
    world.apply(&tree("")).await;
    world
}

#[tokio::test]
async fn accident_01_a_message_whose_outcome_was_lost_is_never_sent_again() {
    let mut world = world_with_one_person().await;
    world.run_for(TimeDelta::hours(5)).await;
    world.now += TimeDelta::hours(2);
    assert_eq!(world.die_after_the_hand_over().await, 1);

    // Every quarter of an hour for half a day, as the job that did this.
    for _ in 0..48 {
        world.run_for(TimeDelta::minutes(15)).await;
    }
    assert_eq!(world.channel.delivered().len(), 1);
    assert_eq!(world.messages().await, ["r1 welcome day 1 uncertain attempt 1"]);

    // Nobody is stuck for it: day 2 goes out, and the run ends.
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(world.channel.delivered().len(), 2);
    assert_eq!(world.targets().await, ["r1 welcome completed day 2"]);
    assert_eq!(world.runs().await, ["welcome a1 completed drained"]);
}

#[tokio::test]
async fn accident_01_a_message_claimed_before_a_crash_becomes_uncertain() {
    let mut world = world_with_one_person().await;
    world.run_for(TimeDelta::hours(5)).await;
    world.now += TimeDelta::hours(2);
    assert_eq!(world.die_before_the_hand_over().await, 1);
    world.run_for(TimeDelta::days(3)).await;
    // It may have left for all we know: uncertain, kept for a person to resolve, and the sequence goes on.
    assert_eq!(world.messages().await, ["r1 welcome day 1 uncertain attempt 1", "r1 welcome day 2 sent attempt 1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accident_03_counters_are_exact_under_concurrent_senders() {
    let mut world = World::at(MONDAY).await;
    for account in ["a1", "a2", "a3"] {
        world.account(account).await;
        for person in 0..40 {
            let id = format!("{account}-{person}");
            let phone = format!("+2376710{}{person:03}", &account[1..]);
            let language = Some(if person % 2 == 0 { "fr" } else { "en" });
            world.person(Person { account, language, ..Person::new(&id, &phone) }).await;
        }
    }
    world.apply(&two_campaigns()).await;
    // Enrolled, but nothing sent yet: day 1 is due six hours after enrollment.
    world.settle().await;
    world.now += TimeDelta::hours(7);
    let (program, channels) = world.program().await;
    let senders = (0..8).map(|_| {
        let (store, program, channels) = (world.store().clone(), Arc::clone(&program), Arc::clone(&channels));
        let clock = (Span::now(world.now), Speed(1.0));
        tokio::spawn(async move {
            for _ in 0..25 {
                send(&store, &program, &channels, BATCH, clock).await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    // At most 7 of each campaign and 11 in all, for each of three accounts: the caps are reached and never passed.
    assert_eq!(world.channel.delivered().len(), 33);
    assert_eq!(world.column("select taken::text from run order by taken").await, ["4", "4", "4", "7", "7", "7"]);
    assert_eq!(world.wrong_counters().await, 0);
    assert_eq!(world.one::<i64>("select sum(taken) from lane").await, 33);
}

/// The campaign above for those who speak French and once more for those who speak English, with a cap of 7 each under a
/// cap of 11 for the account.
fn two_campaigns() -> String {
    let of = |language: &str| {
        tree("  limits: {messagesPerDay: 7}").replace("{subscription: unpaid}", &format!("{{languages: [{language}]}}"))
    };
    let first = of("fr").replace("{pacing:", "{limits: {messagesPerDay: 11}, pacing:");
    let second = of("en").replace("name: welcome}", "name: again}");
    let campaign = second.rsplit("---\n").next().unwrap().to_owned();
    format!("{first}---\n{campaign}")
}

#[tokio::test]
async fn accident_03_a_claim_waits_for_a_concurrent_claim_and_respects_its_quota() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    for person in 0..4 {
        world.person(Person::new(&format!("r{person}"), &format!("+23767100000{person}"))).await;
    }
    world.apply(&tree("").replace("{pacing:", "{limits: {messagesPerDay: 2}, pacing:")).await;
    world.settle().await;
    world.now += TimeDelta::hours(7);
    // Another sender has taken all of the day, and its transaction is not over yet.
    let mut other = sqlx::PgConnection::connect(&world.url()).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    sqlx::query("update lane set taken = 2, taken_on = '2026-11-30'").execute(&mut *tx).await.unwrap();
    let (program, _) = world.program().await;
    let (store, span) = (world.store().clone(), Span::now(world.now));
    let claim =
        tokio::spawn(
            async move { store.claim(&program, BATCH, span, Terms::until(span.to() + TimeDelta::hours(1))).await },
        );
    while !claim.is_finished() && world.waiting_for_locks().await < 1 {
        tokio::task::yield_now().await;
    }
    tx.commit().await.unwrap();
    assert_eq!(claim.await.unwrap().unwrap().messages, []);
    assert_eq!(world.taken().await.0, 2);
}

#[tokio::test]
async fn accident_07_a_completed_person_is_never_enrolled_again() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.person(Person::new("r1", "+237671000001")).await;
    world.apply(&tree("  enrollment: continuous")).await;
    world.run_for(TimeDelta::days(4)).await;
    assert_eq!(world.targets().await, ["r1 welcome completed day 2"]);

    world.facts_changed().await;
    world.apply(&tree("  enrollment: continuous\n  priority: 7")).await;
    world.run_for(TimeDelta::days(9)).await;
    assert_eq!(world.channel.delivered().len(), 2);
    assert_eq!(world.targets().await, ["r1 welcome completed day 2"]);
}

#[tokio::test]
async fn accident_08_a_campaign_without_people_is_not_active_though_nobody_is_due() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.apply(&tree("")).await;
    world.settle().await;
    assert_eq!(world.runs().await, ["welcome a1 scheduled waiting-for-people"]);
}

#[tokio::test]
async fn accident_08_a_run_completes_when_its_last_person_leaves_by_paying() {
    let mut world = world_with_one_person().await;
    world.run_for(TimeDelta::hours(30)).await;
    assert_eq!(world.runs().await, ["welcome a1 active running"]);
    world.sql("update referral set paid_at = '2026-12-01T12:00:00Z'").await;
    // At once, not when somebody happens to look at the run next.
    world.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(world.targets().await, ["r1 welcome exited paid day 2"]);
    assert_eq!(world.runs().await, ["welcome a1 completed drained"]);
    assert_eq!(world.channel.delivered().len(), 1);
}

#[tokio::test]
async fn accident_09_a_failed_day_1_is_retried_and_not_skipped() {
    let mut world = world_with_one_person().await;
    world.channel.fail("+237671000001", &[Fault::Busy, Fault::Busy]);
    world.run_for(TimeDelta::hours(12)).await;
    assert_eq!(world.messages().await, ["r1 welcome day 1 sent attempt 3"]);
    let texts: Vec<String> = world.channel.delivered().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["Bonjour Paul, jour 1. Répondez STOP pour ne plus recevoir de messages."]);
    // The two that certainly did not leave gave their quota back.
    assert_eq!(world.taken().await, (1, 1));
}

#[tokio::test]
async fn accident_09_closed_windows_and_daily_caps_delay_day_1_but_never_skip_it() {
    let mut world = World::at("2026-11-30T20:00:00Z").await;
    world.account("a1").await;
    for (id, phone) in [("r1", "+237671000001"), ("r2", "+237671000002"), ("r3", "+237671000003")] {
        world.person(Person::new(id, phone)).await;
    }
    world.apply(&tree("  limits: {messagesPerDay: 1}")).await;
    world.run_for(TimeDelta::days(8)).await;
    // One a day, two days each: six days of sending, everybody got day 1 before day 2.
    let days: Vec<(i64, i16)> = world.channel.keys().iter().map(|key| (key.target.referral.0, key.day)).collect();
    assert_eq!(days.len(), 6);
    for referral in 1..=3 {
        let own: Vec<i16> = days.iter().filter(|(r, _)| *r == referral).map(|(_, day)| *day).collect();
        assert_eq!(own, [1, 2]);
    }
    assert_eq!(world.runs().await, ["welcome a1 completed drained"]);
}

#[tokio::test]
async fn accident_10_a_missing_translation_falls_back_and_a_missing_value_pauses_the_run() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.person(Person { language: Some("sw"), ..Person::new("r1", "+237671000001") }).await;
    world.person(Person { language: Some("en-GB"), ..Person::new("r2", "+237671000002") }).await;
    // Neither this person's language nor that of their account has a text.
    world.account("a2").await;
    world.sql("update account set language = 'pt' where external_id = 'a2'").await;
    world.person(Person { account: "a2", language: Some("sw"), ..Person::new("r3", "+237671000003") }).await;
    world.apply(&tree("")).await;
    world.run_for(TimeDelta::hours(12)).await;
    let mut texts = world.channel.delivered();
    texts.sort();
    assert_eq!(texts.len(), 3, "{:?}", world.sentences("select detail from run").await);
    assert_eq!(texts[0].1, "Bonjour Paul, jour 1. Répondez STOP pour ne plus recevoir de messages.");
    assert_eq!(texts[1].1, "Hello Paul, day 1. Reply STOP to opt out.");
    assert_eq!(texts[2].1, texts[0].1);

    // Day 2 asks for a column nobody has: no silence, no skipped day.
    world.apply(&tree("").replace("jour 2.", "jour 2 à {{ attributes.city }}.")).await;
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.runs().await, ["welcome a1 paused template-error", "welcome a2 paused template-error"]);
    for message in world.sentences("select detail from run").await {
        assert!(message.contains("day 2") && message.contains("`fr`"), "{message}");
    }
    assert_eq!(world.targets().await.len(), 3);

    // The next revision lifts the pause, and who waited gets day 2.
    world.apply(&tree("")).await;
    world.run_for(TimeDelta::days(2)).await;
    let completed = ["r1 welcome completed day 2", "r2 welcome completed day 2", "r3 welcome completed day 2"];
    assert_eq!(world.targets().await, completed);
}

#[tokio::test]
async fn accident_11_a_plan_counts_exactly_the_people_that_enrollment_takes() {
    let mut world = World::at(MONDAY).await;
    for account in ["a1", "a2"] {
        world.account(account).await;
    }
    for n in 1..=60 {
        let (id, phone) = (format!("r{n}"), format!("+237671000{n:03}"));
        let account = if n % 3 == 1 { "a2" } else { "a1" };
        world.person(Person { account, ..Person::new(&id, &phone) }).await;
    }
    // Every condition has somebody of its own in the second account, which is far from the limit.
    world.sql("update referral set paid_at = registered_at where id % 4 = 0").await;
    world.sql("update referral set consent = null where id % 5 = 0").await;
    world.sql("update referral set profession = 'Étudiante', profession_key = 'etudiante' where id % 2 = 0").await;
    world.sql("insert into suppression values ('+237671000022', 'import', now())").await;
    world.sql("update referral set consent = 'opted_out' where id = 34").await;
    world.sql("update referral set is_current = false where id = 46").await;
    let yaml = tree("  limits: {targets: 4}").replace("subscription: unpaid", "professions: [ETUDIANTE]");
    let counted = world.would_enroll(&yaml).await;
    world.apply(&yaml).await;
    world.settle().await;
    let enrolled = world.column("select count(*)::text from target group by account_id order by account_id").await;
    assert_eq!(enrolled, ["4", "1"], "the first account must be at its limit, and the second below");
    assert_eq!(counted, 5);
}

/// Two jobs that overlap, of the same kind or not: passes, enrollments and sending all at once, from four processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accident_12_overlapping_jobs_enroll_and_message_each_person_once() {
    let mut world = World::at(MONDAY).await;
    for account in ["a1", "a2"] {
        world.account(account).await;
        for person in 0..30 {
            let (id, phone) = (format!("{account}-{person}"), format!("+2376710{}{person:03}", &account[1..]));
            world.person(Person { account, ..Person::new(&id, &phone) }).await;
        }
    }
    world.apply(&tree("  schedule: {firstAfter: 0s}")).await;
    let (program, channels) = world.program().await;
    let jobs = (0..4).map(|_| {
        let (store, program, channels) = (world.store().clone(), Arc::clone(&program), Arc::clone(&channels));
        let begin = world.now;
        tokio::spawn(async move {
            let mut seen = Watermark::default();
            for minute in 0..10 {
                let now = begin + TimeDelta::minutes(minute);
                maintenance(&store, &program, &mut seen, now).await.unwrap();
                send(&store, &program, &channels, BATCH, (Span::now(now), Speed(1.0))).await.unwrap();
            }
        })
    });
    for job in jobs.collect::<Vec<_>>() {
        job.await.unwrap();
    }
    let (mut keys, sent) = (world.channel.keys(), world.channel.delivered().len());
    keys.sort();
    keys.dedup();
    assert_eq!((keys.len(), sent), (60, 60), "somebody got a day twice, or not at all");
    assert_eq!(world.count("target").await, 60);
}

#[tokio::test]
async fn accident_13_a_run_completes_only_after_every_message_is_sent() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    for n in 0..12 {
        let (id, phone) = (format!("r{n:02}"), format!("+237671000{n:03}"));
        world.person(Person::new(&id, &phone)).await;
    }
    // Five cannot be reached for the moment when their turn comes first, on either day.
    for n in 0..5 {
        world.channel.fail(&format!("+237671000{n:03}"), &[Fault::Busy, Fault::Fine, Fault::Busy]);
    }
    world.apply(&tree("  limits: {messagesPerDay: 4}")).await;
    for _ in 0..24 {
        world.run_for(TimeDelta::hours(12)).await;
        let done = world.runs().await == ["welcome a1 completed drained"];
        let unsent: i64 = world.one("select 24 - count(*) from message where state = 'sent'").await;
        assert_eq!(done, unsent == 0, "{unsent} messages are unsent");
    }
    assert_eq!(world.channel.delivered().len(), 24);
}

/// 100 accounts in one queue at two minutes a message: the last of them got theirs after ten days.
#[tokio::test]
async fn accident_19_a_slow_account_delays_no_other_account() {
    let mut world = World::at(MONDAY).await;
    for account in 1..=20 {
        let name = format!("a{account}");
        world.account(&name).await;
        for person in 0..5 {
            let (id, phone) = (format!("{name}-{person}"), format!("+23767100{account:02}{person:02}"));
            world.person(Person { account: &name, ..Person::new(&id, &phone) }).await;
        }
    }
    let paced = tree("").replace("every: 0s", "every: 2m");
    let slow = "---\napiVersion: relance/v1\nkind: Account\nmetadata: {name: slow}\n\
                spec: {accounts: {names: [a1]}, pacing: {every: 1h, jitter: 0s}}\n";
    world.apply(&(paced + slow)).await;
    world.settle().await;
    // Five at two minutes are done after eight, for every account at once; that of one in an hour has begun.
    world.run_for(TimeDelta::hours(6) + TimeDelta::minutes(9)).await;
    let sent = "select a.external_id || ' ' || count(*) from message m join account a on a.id = m.account_id
                group by a.id, a.external_id order by a.id";
    let sent = world.column(sent).await;
    let each: Vec<String> = (1..=20).map(|n| format!("a{n} {}", if n == 1 { 1 } else { 5 })).collect();
    assert_eq!(sent, each);
}
