//! What `get` and `describe` read: a test per query, against what the production code did to a database.

use chrono::TimeDelta;
use relance::core::dispatch::gate;
use relance::core::lifecycle::message::State;
use relance::core::lifecycle::run::Phase;
use relance::store::query::{Standing, Wanted};
use serde_json::{Value, json};

use crate::accidents::tree;
use crate::support::facts::Person;
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";

/// Two accounts, three people, one campaign; day 1 has gone out to all, and `r1` has read it.
pub(crate) async fn world() -> World {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.account("a2").await;
    world.person(Person::new("r1", "+237671000001")).await;
    world.person(Person::new("r2", "+237671000002")).await;
    world.person(Person { account: "a2", ..Person::new("r3", "+237671000003") }).await;
    world.apply(&tree("  limits: {messagesPerDay: 50}")).await;
    world.run_for(TimeDelta::hours(7)).await;
    // People are spread over the second in which they are enrolled; round figures are easier to read.
    world.sql("update target set due_at = date_trunc('second', due_at)").await;
    world.sql("update message set queued_at = date_trunc('second', queued_at)").await;
    world
        .sql(
            "update message set state = 'read', delivered_at = sent_at, read_at = sent_at
             where referral_id = (select id from referral where external_id = 'r1')",
        )
        .await;
    world
}

fn of(campaign: &str, account: &str) -> Wanted {
    Wanted { campaign: Some(campaign.to_owned()), account: Some(account.to_owned()), ..Wanted::default() }
}

fn keys(row: &Value) -> Vec<&str> {
    row.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn runs_count_people_and_messages() {
    let world = world().await;
    let runs = world.store().runs(&Wanted::default()).await.unwrap();
    assert_eq!(runs.len(), 2);
    let contract = [
        "campaign",
        "account",
        "type",
        "phase",
        "reason",
        "message",
        "priority",
        "enrolled",
        "active",
        "completed",
        "exited",
        "sent",
        "delivered",
        "read",
        "failed",
        "uncertain",
        "started_at",
        "finished_at",
        "next_due_at",
        "revision",
    ];
    let json = serde_json::to_value(&runs[0]).unwrap();
    assert_eq!(keys(&json), contract);
    assert_eq!(
        (&json["campaign"], &json["account"], &json["type"]),
        (&json!("welcome"), &json!("a1"), &json!("filtered"))
    );
    assert_eq!(
        (&json["phase"], &json["reason"], &json["started_at"]),
        (&json!("active"), &json!("running"), &json!(MONDAY))
    );
    let counts = runs[0].counts;
    assert_eq!((counts.enrolled, counts.active, counts.completed, counts.exited), (2, 2, 0, 0));
    // A message that was read was delivered and sent too.
    assert_eq!((counts.sent, counts.delivered, counts.read, counts.failed, counts.uncertain), (2, 1, 1, 0, 0));
    assert_eq!(runs[0].next_due_at.unwrap().to_rfc3339(), "2026-12-01T14:00:00+00:00");
    assert_eq!(runs[1].counts.enrolled, 1);

    assert_eq!(world.store().runs(&of("welcome", "a2")).await.unwrap(), runs[1..]);
    let paused = Wanted { phase: Some(Phase::Paused), ..Wanted::default() };
    assert_eq!(world.store().runs(&paused).await.unwrap(), []);
    let one = Wanted { limit: Some(1), ..Wanted::default() };
    assert_eq!(world.store().runs(&one).await.unwrap(), runs[..1]);
}

#[tokio::test]
async fn runs_of_a_removed_campaign_stay_without_manifest_fields() {
    let mut world = world().await;
    world.apply("").await;
    world.settle().await;
    let run = world.store().runs(&of("welcome", "a1")).await.unwrap().remove(0);
    assert_eq!((run.phase, run.reason.as_str(), run.kind, run.priority), (Phase::Cancelled, "pruned", None, None));
    assert_eq!((run.counts.active, run.counts.exited, run.next_due_at), (0, 2, None));
    assert_eq!(world.store().ends("welcome", "a1").await.unwrap()[0].exit_reason.as_deref(), Some("cancelled"));
    let campaign = world.store().campaigns(&Wanted::default()).await.unwrap().remove(0);
    assert_eq!((campaign.removed_at, campaign.runs.cancelled, campaign.kind), (Some(world.now), 2, None));
}

#[tokio::test]
async fn targets_show_the_verdict_of_the_gate() {
    let mut world = world().await;
    let (program, _) = world.program().await;
    let page = world.store().targets(&program, &Wanted::default(), world.now).await.unwrap();
    assert_eq!((page.total, page.rows.len()), (3, 3));
    let json = serde_json::to_value(&page.rows[0]).unwrap();
    let expected = json!({
        "id": "welcome/a1/r1", "campaign": "welcome", "account": "a1", "referral": "r1", "day": 2, "state": "active",
        "exit_reason": null, "next_due_at": "2026-12-01T14:00:00Z", "hold": null,
    });
    assert_eq!(json, expected);
    assert_eq!(keys(&json), keys(&expected));

    // Due, and at night: held until the morning of the account, which is an hour ahead of UTC.
    let night = "2026-12-01T23:30:00Z".parse().unwrap();
    let held = world.store().targets(&program, &of("welcome", "a2"), night).await.unwrap().rows;
    let json = serde_json::to_value(held[0].hold).unwrap();
    assert_eq!(json, json!({"reason": "outside-window", "until": "2026-12-02T07:00:00Z"}));

    world.sql("update run set phase = 'paused', reason = 'manifest'").await;
    let held = world.store().targets(&program, &of("welcome", "a2"), night).await.unwrap().rows;
    assert_eq!(held[0].hold.unwrap().reason, gate::Hold::RunNotActive);
    // Who is not due is not held.
    let early = world.store().targets(&program, &of("welcome", "a2"), world.now).await.unwrap().rows;
    assert_eq!(early[0].hold, None);
}

/// SPEC §4: the reason that is shown is the reason that is used.
#[tokio::test]
async fn a_hold_shown_by_get_really_blocks_the_message() {
    let mut world = world().await;
    let noon = "2026-12-01T14:30:00Z".parse().unwrap();
    world.sql("update account set whatsapp_status = 'disconnected' where external_id = 'a1'").await;
    let (program, _) = world.program().await;
    let rows = world.store().targets(&program, &Wanted::default(), noon).await.unwrap().rows;
    let reasons: Vec<_> = rows.iter().map(|target| target.hold.map(|hold| hold.reason)).collect();
    assert_eq!(reasons, [Some(gate::Hold::Disconnected), Some(gate::Hold::Disconnected), None]);
    world.run_until(noon).await;
    let sent = Wanted { day: Some(2), ..Wanted::default() };
    let sent = world.store().messages(&sent).await.unwrap().rows;
    assert_eq!(sent.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), ["welcome/a2/r3/2"]);
}

#[tokio::test]
async fn targets_are_filtered_by_state_and_referral() {
    let mut world = world().await;
    world.pay("r2", "2026-12-01T00:00Z").await;
    world.run_for(TimeDelta::days(2)).await;
    let (program, _) = world.program().await;
    let exited = Wanted { standing: Some(Standing::Exited), ..Wanted::default() };
    let exited = world.store().targets(&program, &exited, world.now).await.unwrap();
    assert_eq!((exited.rows[0].id.as_str(), exited.total), ("welcome/a1/r2", 1));
    assert_eq!(serde_json::to_value(&exited.rows[0]).unwrap()["exit_reason"], "paid");
    let two = Wanted { limit: Some(2), ..Wanted::default() };
    let page = world.store().targets(&program, &two, world.now).await.unwrap();
    assert_eq!((page.rows.len(), page.total), (2, 3));
    let one = Wanted { referral: Some("r3".to_owned()), ..Wanted::default() };
    assert_eq!(world.store().targets(&program, &one, world.now).await.unwrap().rows[0].account, "a2");

    let case = world.store().cases(&program, "r3", Some("welcome"), world.now).await.unwrap().remove(0);
    assert_eq!((case.target.state, case.asked), (Standing::Completed, None));
    assert_eq!(case.circumstances.person.phone, "+237671000003");
    let name = world.store().find_target("welcome/a2/r3").await.unwrap().unwrap();
    assert_eq!((name.account.as_str(), name.referral.as_str()), ("a2", "r3"));
    assert_eq!(world.store().person("r3").await.unwrap().unwrap().account, "a2");
    assert_eq!(world.store().find_target("welcome/a1/r3").await.unwrap(), None);
    assert_eq!(world.store().find_target("welcome").await.unwrap(), None);
    assert_eq!(world.store().referral_names("a1").await.unwrap(), ["r1", "r2"]);
}

#[tokio::test]
async fn ids_with_slashes_are_found() {
    let mut world = World::at(MONDAY).await;
    world.account("cm/a1").await;
    world.person(Person { account: "cm/a1", ..Person::new("r/1", "+237671000001") }).await;
    world.apply(&tree("")).await;
    world.settle().await;
    let name = world.store().find_target("welcome/cm/a1/r/1").await.unwrap().unwrap();
    assert_eq!((name.account.as_str(), name.referral.as_str()), ("cm/a1", "r/1"));
}

#[tokio::test]
async fn messages_are_listed_in_queue_order() {
    let mut world = world().await;
    world.run_for(TimeDelta::days(2)).await;
    let all = world.store().messages(&Wanted::default()).await.unwrap();
    assert_eq!(all.total, 6);
    let ids: Vec<_> = all.rows.iter().map(|message| message.id.as_str()).collect();
    let expected = [
        "welcome/a1/r1/1",
        "welcome/a1/r2/1",
        "welcome/a2/r3/1",
        "welcome/a1/r1/2",
        "welcome/a1/r2/2",
        "welcome/a2/r3/2",
    ];
    assert_eq!(ids, expected);
    let contract = [
        "id",
        "campaign",
        "account",
        "referral",
        "day",
        "state",
        "phone",
        "language",
        "text",
        "template",
        "attempts",
        "provider_id",
        "error",
        "queued_at",
        "sent_at",
        "delivered_at",
        "read_at",
    ];
    let json = serde_json::to_value(&all.rows[0]).unwrap();
    assert_eq!(keys(&json), contract);
    assert_eq!(
        (&json["phone"], &json["state"], &json["attempts"]),
        (&json!("+237671000001"), &json!("read"), &json!(1))
    );
    assert_eq!(json["queued_at"], "2026-11-30T14:00:00Z");

    let latest = world.store().messages(&Wanted { limit: Some(2), ..Wanted::default() }).await.unwrap();
    assert_eq!((latest.total, &latest.rows[..]), (6, &all.rows[4..]));
    let some = async |wanted: Wanted| world.store().messages(&wanted).await.unwrap().rows.len();
    assert_eq!(some(Wanted { message: Some(State::Read), ..Wanted::default() }).await, 1);
    assert_eq!(some(Wanted { day: Some(2), ..of("welcome", "a1") }).await, 2);
    assert_eq!(some(Wanted { referral: Some("r2".to_owned()), ..Wanted::default() }).await, 2);
}

#[tokio::test]
async fn campaigns_sum_the_counts_of_their_runs() {
    let world = world().await;
    let campaign = world.store().campaigns(&Wanted::default()).await.unwrap().remove(0);
    assert_eq!((campaign.name.as_str(), campaign.state.as_deref()), ("welcome", Some("active")));
    assert_eq!(
        (campaign.runs.total(), campaign.runs.active, campaign.counts.enrolled, campaign.counts.sent),
        (2, 2, 3, 3)
    );
    assert_eq!((campaign.counts.read, campaign.sequence.as_deref(), campaign.revision), (1, Some("two-days"), Some(1)));
    let days = world.store().campaign_days("welcome", None).await.unwrap();
    let days: Vec<_> = days.iter().map(|day| (day.day, day.waiting, day.sent, day.read)).collect();
    assert_eq!(days, [(1, 0, 3, 1), (2, 3, 0, 0)]);
}

#[tokio::test]
async fn accounts_count_messages_per_local_day() {
    let mut world = world().await;
    let (program, _) = world.program().await;
    let accounts = world.store().accounts(&program, &Wanted::default(), world.now).await.unwrap();
    let first = &accounts[0];
    assert_eq!((first.id.as_str(), first.referrals, first.unpaid), ("a1", 2, 2));
    assert_eq!((first.active_runs, first.active_targets, first.sent_today), (1, 2, 2));
    let tomorrow = world.now + TimeDelta::days(1);
    let only = Wanted { account: Some("a2".to_owned()), ..Wanted::default() };
    let accounts = world.store().accounts(&program, &only, tomorrow).await.unwrap();
    assert_eq!((accounts.len(), accounts[0].sent_today), (1, 0));

    let today = world.store().run_today(&program, ("welcome", "a1"), world.now).await.unwrap().unwrap();
    assert_eq!((today.run_taken, today.run_cap, today.account_taken, today.account_cap), (2, Some(50), 2, None));
    assert_eq!((today.date.to_string().as_str(), today.hold), ("2026-11-30", None));
    assert_eq!(world.store().run_today(&program, ("welcome", "a9"), world.now).await.unwrap(), None);
}

#[tokio::test]
async fn revisions_list_their_changes() {
    let mut world = world().await;
    world.apply(&tree("  priority: 7")).await;
    let revisions = world.store().revisions(&Wanted::default()).await.unwrap();
    assert_eq!(revisions.iter().map(|revision| revision.id).collect::<Vec<_>>(), [1, 2]);
    let json = serde_json::to_value(&revisions[1]).unwrap();
    let first = ["id", "digest", "commit", "author", "source", "repository", "accepted_at"];
    let rest = ["applied_by", "approved_by", "approval_reason", "plan_digest", "changes"];
    assert_eq!(keys(&json), [&first[..], &rest].concat());
    assert_eq!(json["changes"][0]["action"], "update");
    let latest = world.store().revisions(&Wanted { limit: Some(1), ..Wanted::default() }).await.unwrap();
    assert_eq!(latest, revisions[1..]);
    assert_eq!(world.store().revision(2).await.unwrap().as_ref(), Some(&revisions[1]));
}
