//! Snapshots of the tables.

use serde_json::json;

use super::Rows;
use crate::core::dispatch::gate;
use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::message::State;
use crate::core::lifecycle::run::Phase;
use crate::core::lifecycle::target::Exit;
use crate::core::manifest::desired::policy::Switch;
use crate::store::query::{Account, Counts, Hold, Message, Revision, Run, Standing, Target};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-30T09:12:00Z")
}

fn draw(rows: &Rows, wide: bool) -> String {
    rows.table(wide, now()).render(false)
}

fn runs() -> Rows {
    let active = Run {
        campaign: "welcome".to_owned(),
        account: "a1".to_owned(),
        kind: Some("filtered".to_owned()),
        phase: Phase::Active,
        reason: "running".to_owned(),
        detail: Detail::Running,
        priority: Some(100),
        counts: Counts { enrolled: 12_345, active: 12_000, exited: 345, sent: 9_876, failed: 3, ..Counts::default() },
        started_at: Some(at("2026-11-28T08:00:00Z")),
        finished_at: None,
        next_due_at: Some(at("2026-11-30T14:30:00Z")),
        revision: 4,
        frozen: None,
    };
    let removed = Run {
        account: "a2".to_owned(),
        kind: None,
        phase: Phase::Cancelled,
        reason: "pruned".to_owned(),
        detail: Detail::ManifestGone,
        priority: None,
        counts: Counts::default(),
        finished_at: Some(at("2026-11-29T08:00:00Z")),
        next_due_at: None,
        ..active.clone()
    };
    Rows::Runs(vec![active, removed])
}

#[test]
fn runs_as_a_table() {
    insta::assert_snapshot!(draw(&runs(), false), @"
        CAMPAIGN  ACCOUNT  PHASE      REASON   ENROLLED  ACTIVE  COMPLETED  EXITED   SENT  FAILED  UNCERTAIN  NEXT DUE
        welcome   a1       active     running    12,345  12,000          0     345  9,876       3          0  in 5h
        welcome   a2       cancelled  pruned          0       0          0       0      0       0          0  -
        ");
}

#[test]
fn runs_as_a_wide_table() {
    insta::assert_snapshot!(draw(&runs(), true), @"
        CAMPAIGN  ACCOUNT  PHASE      REASON   ENROLLED  ACTIVE  COMPLETED  EXITED   SENT  DELIVERED  READ  FAILED  UNCERTAIN  NEXT DUE          TYPE      PRIORITY  REVISION  STARTED           FINISHED          MESSAGE
        welcome   a1       active     running    12,345  12,000          0     345  9,876          0     0       3          0  2026-11-30 14:30  filtered       100         4  2026-11-28 08:00  -                 enrolling and sending
        welcome   a2       cancelled  pruned          0       0          0       0      0          0     0       0          0  -                 -                -         4  2026-11-28 08:00  2026-11-29 08:00  its manifest is gone
        ");
}

#[test]
fn targets_as_tables() {
    let due = Target {
        id: "welcome/a1/r1".to_owned(),
        campaign: "welcome".to_owned(),
        account: "a1".to_owned(),
        referral: "r1".to_owned(),
        day: 2,
        state: Standing::Active,
        exit_reason: None,
        next_due_at: Some(at("2026-11-30T09:00:00Z")),
        hold: Some(Hold { reason: gate::Hold::AccountCap, until: Some(at("2026-11-30T23:00:00Z")) }),
        name: "Zoé\u{1b}[2J".to_owned(),
        phone: "+237671697846".to_owned(),
    };
    let left = Target {
        id: "welcome/a1/r2".to_owned(),
        state: Standing::Exited,
        exit_reason: Some(Exit::OptedOut),
        next_due_at: None,
        hold: None,
        ..due.clone()
    };
    let rows = Rows::Targets(vec![due, left]);
    insta::assert_snapshot!([draw(&rows, false), draw(&rows, true)].join("\n\n"), @"
        ID             DAY  STATE   EXIT       NEXT DUE  HELD BY      UNTIL
        welcome/a1/r1    2  active  -          12m ago   account-cap  in 13h
        welcome/a1/r2    2  exited  opted-out  -         -            -

        ID             DAY  STATE   EXIT       NEXT DUE          HELD BY      UNTIL             NAME     PHONE
        welcome/a1/r1    2  active  -          2026-11-30 09:00  account-cap  2026-11-30 23:00  Zoé�[2J  +2376*****46
        welcome/a1/r2    2  exited  opted-out  -                 -            -                 Zoé�[2J  +2376*****46
        ");
}

#[test]
fn messages_as_a_table() {
    let sent = Message {
        id: "welcome/a1/r1/1".to_owned(),
        campaign: "welcome".to_owned(),
        account: "a1".to_owned(),
        referral: "r1".to_owned(),
        day: 1,
        state: State::Delivered,
        phone: "+237671697846".to_owned(),
        language: "fr".to_owned(),
        text: "Bonjour Zoé,\nvotre formation vous attend depuis une semaine.".to_owned(),
        template: None,
        attempts: 1,
        provider_id: Some("1".to_owned()),
        error: None,
        queued_at: at("2026-11-30T08:00:00Z"),
        sent_at: Some(at("2026-11-30T08:00:01Z")),
        delivered_at: Some(at("2026-11-30T08:00:09Z")),
        read_at: None,
    };
    let failed = Message { state: State::Failed, error: Some("no such number".to_owned()), ..sent.clone() };
    insta::assert_snapshot!(draw(&Rows::Messages(vec![sent, failed]), false), @"
        QUEUED            ID               STATE      PHONE         LANG  TEXT OR ERROR
        2026-11-30 08:00  welcome/a1/r1/1  delivered  +2376*****46  fr    Bonjour Zoé,⏎votre formation vous attend depuis…
        2026-11-30 08:00  welcome/a1/r1/1  failed     +2376*****46  fr    no such number
        ");
}

#[test]
fn accounts_and_revisions_as_tables() {
    let account = Account {
        id: "a1".to_owned(),
        name: "Aminata Ngo Bassong épouse Tchoumi".to_owned(),
        phone: None,
        language: Some("fr".to_owned()),
        country: Some("CM".to_owned()),
        timezone: "Africa/Douala".to_owned(),
        subscription_plan: None,
        subscription_ends_at: Some(at("2026-12-31T23:00:00Z")),
        whatsapp_status: Some("connected".to_owned()),
        labels: json!({}),
        enrollment: Switch::On,
        sending: Switch::On,
        referrals: 1_500,
        unpaid: 1_200,
        active_runs: 1,
        active_targets: 800,
        sent_today: 12,
        messages_per_day: Some(50),
        next_slot_at: None,
    };
    let revision = Revision {
        id: 7,
        digest: "0123456789abcdef".to_owned(),
        commit: Some("89abcdef0123456789".to_owned()),
        author: Some("Ana".to_owned()),
        source: Some("default".to_owned()),
        repository: None,
        accepted_at: at("2026-11-28T08:00:00Z"),
        applied_by: Some("process 7 on host-1".to_owned()),
        approved_by: None,
        approval_reason: None,
        plan_digest: Some("fedcba9876543210".to_owned()),
        changes: json!([{"action": "update", "kind": "Campaign", "name": "welcome"}]),
    };
    let tables = [draw(&Rows::Accounts(vec![account]), false), draw(&Rows::Revisions(vec![revision]), false)];
    insta::assert_snapshot!(tables.join("\n\n"), @"
        ID  NAME                      WHATSAPP   SUBSCRIPTION ENDS  REFERRALS  UNPAID  RUNS  TARGETS  SENT TODAY  TIMEZONE
        a1  Aminata Ngo Bassong épo…  connected  2026-12-31 23:00       1,500   1,200     1      800    12 of 50  Africa/Douala

        ID  ACCEPTED          COMMIT      AUTHOR  APPLIED BY           APPROVED BY  CHANGES
         7  2026-11-28 08:00  89abcdef01  Ana     process 7 on host-1  -            1 updated
        ");
}
