//! Facts go in exactly as far as they are good, and nothing that people told us gets lost on the way.

use std::io::{Cursor, Write};
use std::process::{Command, Output, Stdio};

use relance::core::domain::{Rejection, Timestamp};
use relance::facts::import::Report;
use relance::facts::{Source, import};
use relance::store::Age;
use serde_json::Value;
use sqlx::PgPool;

use crate::support::database::{TestDatabase, database};
use crate::support::rows::{column, one};

const NOW: &str = "2026-11-01T00:00:00Z";
const HEADER: &str = "id,account_id,name,phone,country,registered_at,paid_at,consent";
const ACCOUNTS: &str = "id,name,timezone\na1,Aminata,Africa/Douala\na2,Awa,Africa/Lagos\n";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A database with the accounts `a1` and `a2`.
async fn world() -> TestDatabase {
    let db = database().await;
    assert_eq!(counts(&accounts(&db, ACCOUNTS).await), (2, 2, 0, 0, 0));
    db
}

fn source(text: impl Into<Vec<u8>>) -> Source {
    Source::stream("test", Cursor::new(text.into()))
}

async fn accounts(db: &TestDatabase, text: &str) -> Report {
    import::accounts(&db.store, source(text), Age { as_of: time(NOW), now: time(NOW) }).await.unwrap()
}

async fn referrals_at(db: &TestDatabase, now: &str, text: impl Into<Vec<u8>>) -> Report {
    import::referrals(&db.store, source(text), Age { as_of: time(now), now: time(now) }).await.unwrap()
}

async fn referrals(db: &TestDatabase, text: impl Into<Vec<u8>>) -> Report {
    referrals_at(db, NOW, text).await
}

/// Imports rows under [`HEADER`].
async fn rows(db: &TestDatabase, rows: &[&str]) -> Report {
    referrals(db, format!("{HEADER}\n{}\n", rows.join("\n"))).await
}

fn counts(report: &Report) -> (u64, u64, u64, u64, usize) {
    (report.read, report.inserted, report.updated, report.unchanged, report.rejected.len())
}

fn places(report: &Report) -> Vec<String> {
    report.rejected.iter().map(|r| format!("{} {}: {}: {}", r.line, r.column, r.value, r.reason)).collect()
}

/// One text column, in the order of the query.
async fn texts(pool: &PgPool, sql: &str) -> Vec<String> {
    let found: Vec<Option<String>> = column(pool, sql).await;
    found.into_iter().map(|text| text.unwrap_or_else(|| "-".to_owned())).collect()
}

async fn run(db: &TestDatabase, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&db.pool).await.unwrap();
}

#[tokio::test]
async fn accident_02_a_phone_is_never_a_number() {
    let db = world().await;
    let lines = [
        r#"{"id":"r1","account_id":"a1","name":"A","phone":"0802 613 1860","country":"NG","registered_at":"2026-10-01T08:00:00Z"}"#,
        r#"{"id":"r2","account_id":"a1","name":"B","phone":237671000002,"country":"CM","registered_at":"2026-10-01T08:00:00Z"}"#,
        r#"{"id":"r3","account_id":"a1","name":"C","phone":"2.37671E+11","country":"CM","registered_at":"2026-10-01T08:00:00Z"}"#,
    ];
    let report = referrals(&db, lines.join("\n")).await;
    assert_eq!(counts(&report), (3, 1, 0, 0, 2));
    assert!(places(&report)[0].starts_with("2 phone: 237671000002: a JSON number"), "{:?}", places(&report));
    assert!(places(&report)[1].starts_with("3 phone: 2.37671E+11: scientific notation"), "{:?}", places(&report));
    assert_eq!(texts(&db.pool, "select phone from referral").await, ["+2348026131860"]);
}

#[tokio::test]
async fn accident_14_a_re_import_never_erases_an_opt_out() {
    let db = world().await;
    rows(&db, &["r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,opted_out"]).await;
    assert_eq!(texts(&db.pool, "select phone || ' ' || source from suppression").await, ["+237671000001 import"]);

    for answer in ["opted_in", ""] {
        let row = format!("r1,a1,Paul II,671000001,CM,2026-10-01T08:00:00Z,,{answer}");
        rows(&db, &[&row]).await;
        let newer = format!("{HEADER},updated_at\n{row},2026-10-31T00:00:00Z\n");
        referrals_at(&db, "2026-12-01T00:00:00Z", newer).await;
    }
    let lacking = "id,account_id,name,phone,country,registered_at\nr1,a1,Paul III,671000001,CM,2026-10-01T08:00:00Z\n";
    referrals(&db, lacking).await;

    assert_eq!(texts(&db.pool, "select consent || ' ' || name from referral").await, ["opted_out Paul III"]);
    assert_eq!(texts(&db.pool, "select phone from suppression").await, ["+237671000001"]);
}

#[tokio::test]
async fn an_opt_out_counts_in_any_row_of_a_file() {
    let db = world().await;
    let report = rows(
        &db,
        &[
            "r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,opted_out",
            "r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,opted_in",
        ],
    )
    .await;
    assert_eq!(counts(&report), (2, 1, 1, 0, 0));
    assert_eq!(texts(&db.pool, "select consent from referral").await, ["opted_out"]);
    assert_eq!(texts(&db.pool, "select phone from suppression").await, ["+237671000001"]);
}

#[tokio::test]
async fn accident_16_an_invalid_time_zone_rejects_one_row_by_line() {
    let db = database().await;
    let report = accounts(
        &db,
        "id,name,timezone,subscription_ends_at\n\
         a1,Aminata,Africa/Douala,2027-01-31T00:00:00Z\n\
         a2,Awa,Africa/Atlantis,2027-01-31T00:00:00Z\n\
         a3,Ada,Africa/Lagos,31/13/2027\n\
         a4,Afi,Africa/Lome,\n",
    )
    .await;
    assert_eq!(counts(&report), (4, 2, 0, 0, 2));
    assert!(places(&report)[0].starts_with("3 timezone: Africa/Atlantis: `Africa/Atlantis` is not a time zone"));
    assert!(places(&report)[1].starts_with("4 subscription_ends_at: 31/13/2027: not a time"));
    assert_eq!(texts(&db.pool, "select external_id from account order by id").await, ["a1", "a4"]);
}

#[tokio::test]
async fn two_spellings_of_a_handset_in_one_account_are_one_person() {
    let db = world().await;
    let report = rows(
        &db,
        &[
            "ar1,a1,Lucia,+54 9 11 2345-6789,AR,2026-10-01T08:00:00Z,,",
            "ar2,a1,Lucia,+54 11 2345-6789,AR,2026-10-02T08:00:00Z,,",
            "ar3,a1,Lucia,011 15-2345-6789,AR,2026-10-03T08:00:00Z,,",
            "mx1,a1,Rosa,+52 1 55 1234 5678,MX,2026-10-01T08:00:00Z,,",
            "mx2,a1,Rosa,044 55 1234 5678,MX,2026-10-02T08:00:00Z,,",
            "br1,a1,Bia,+55 31 8888-7777,BR,2026-10-01T08:00:00Z,,",
            "br2,a1,Bia,+55 31 98888-7777,BR,2026-10-02T08:00:00Z,,",
            "bj1,a1,Codjo,+229 97 12 34 56,BJ,2026-10-01T08:00:00Z,,",
            "bj2,a1,Codjo,01 97 12 34 56,BJ,2026-10-02T08:00:00Z,,",
            "ci1,a1,Koffi,+225 07 66 21 70,CI,2026-10-01T08:00:00Z,,",
            "ci2,a1,Koffi,07 07 66 21 70,CI,2026-10-02T08:00:00Z,,",
            "ga1,a1,Obiang,+241 07 12 34 56,GA,2026-10-01T08:00:00Z,,",
            "ga2,a1,Obiang,+241 077 12 34 56,GA,2026-10-02T08:00:00Z,,",
            "cm1,a1,Ngo,+237 71 69 78 46,CM,2026-10-01T08:00:00Z,,",
        ],
    )
    .await;
    assert_eq!(counts(&report), (14, 14, 0, 0, 0), "{:?}", places(&report));
    let people = "select external_id || ' ' || phone from referral where is_current order by external_id";
    let expected = [
        "ar3 +541123456789",
        "bj2 +2290197123456",
        "br2 +5531988887777",
        "ci2 +2250707662170",
        "cm1 +237671697846",
        "ga2 +24177123456",
        "mx2 +525512345678",
    ];
    assert_eq!(texts(&db.pool, people).await, expected);
    // The number to dial stays as it was written, and only where it is not the normal form.
    let dialled = "select external_id || ' ' || dialled from referral where dialled is not null order by 1";
    assert_eq!(texts(&db.pool, dialled).await, ["ar1 +5491123456789", "ar3 +5491123456789"]);
}

#[tokio::test]
async fn an_opt_out_covers_every_spelling_of_a_phone() {
    let db = world().await;
    rows(&db, &["r1,a1,Lucia,+54 9 11 2345-6789,AR,2026-10-01T08:00:00Z,,opted_out"]).await;
    rows(&db, &["r2,a2,Lucia,+54 11 2345-6789,AR,2026-10-01T08:00:00Z,,opted_in"]).await;
    assert_eq!(texts(&db.pool, "select phone from suppression").await, ["+541123456789"]);
    let stopped = "select r.external_id from referral r join suppression s on s.phone = r.phone order by 1";
    assert_eq!(texts(&db.pool, stopped).await, ["r1", "r2"]);
}

#[tokio::test]
async fn importing_twice_writes_nothing() {
    let db = world().await;
    let file = [
        "r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,opted_out",
        "r2,a1,Awa,+237 671000002,CM,2026-10-02 08:00:00+00,2026-10-05T08:00:00Z,opted_in",
        "r3,a1,Awa again,+237 671000002,CM,2026-10-03 08:00:00+00,,",
        "r3,a1,Awa again,+237 671000002,CM,2026-10-03 08:00:00+00,,",
    ];
    assert_eq!(counts(&rows(&db, &file).await), (4, 3, 0, 1, 0));
    let state = "select xmin::text || external_id || is_current from referral
                 union all select xmin::text from account union all select facts::text from facts_generation order by 1";
    let before = texts(&db.pool, state).await;
    assert_eq!(counts(&rows(&db, &file).await), (4, 0, 0, 4, 0));
    let later = referrals_at(&db, "2026-12-01T00:00:00Z", format!("{HEADER}\n{}", file.join("\n"))).await;
    assert_eq!(counts(&later), (4, 0, 0, 4, 0));
    assert_eq!(counts(&accounts(&db, ACCOUNTS).await), (2, 0, 0, 2, 0));
    assert_eq!(texts(&db.pool, state).await, before);
}

#[tokio::test]
async fn an_older_row_changes_nothing() {
    let db = world().await;
    let header = format!("{HEADER},updated_at");
    let row = |name: &str, at: &str| format!("{header}\nr1,a1,{name},671000001,CM,2026-10-01T08:00:00Z,,,{at}\n");
    referrals(&db, row("new", "2026-10-20T00:00:00Z")).await;
    assert_eq!(counts(&referrals(&db, row("old", "2026-10-19T00:00:00Z")).await), (1, 0, 0, 1, 0));
    let old_file = Age { as_of: time("2026-10-10T00:00:00Z"), now: time(NOW) };
    let report = import::referrals(&db.store, source(row("old", "")), old_file).await.unwrap();
    assert_eq!(counts(&report), (1, 0, 0, 1, 0));
    assert_eq!(texts(&db.pool, "select name from referral").await, ["new"]);
    assert_eq!(counts(&referrals(&db, row("newer", "2026-10-21T00:00:00Z")).await), (1, 0, 1, 0, 0));
    assert_eq!(counts(&referrals(&db, row("from the future", "2027-10-21T00:00:00Z")).await), (1, 0, 0, 0, 1));

    let repeated = format!(
        "{header}\nr1,a1,last week,671000001,CM,2026-10-01T08:00:00Z,,,2026-10-25T00:00:00Z\n\
         r1,a1,yesterday,671000001,CM,2026-10-01T08:00:00Z,,,2026-10-31T00:00:00Z\n\
         r1,a1,last month,671000001,CM,2026-10-01T08:00:00Z,,,2026-10-01T00:00:00Z\n"
    );
    assert_eq!(counts(&referrals(&db, repeated).await), (3, 0, 3, 0, 0));
    assert_eq!(texts(&db.pool, "select name from referral").await, ["yesterday"]);
}

#[tokio::test]
async fn an_empty_payment_erases_a_payment_only_in_a_newer_row() {
    let db = world().await;
    let paid = "select paid_at is not null and paid_at = '2026-10-05 08:00+00' from referral";
    rows(&db, &["r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,2026-10-05T08:00:00Z,"]).await;
    let unpaid = "r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,";
    rows(&db, &[unpaid]).await;
    assert!(one::<bool>(&db.pool, paid).await);
    let refunded = format!("{HEADER},updated_at\n{unpaid},2026-11-02T00:00:00Z\n");
    referrals_at(&db, "2026-11-03T00:00:00Z", refunded).await;
    assert!(!one::<bool>(&db.pool, paid).await);
}

#[tokio::test]
async fn missing_columns_keep_their_stored_values() {
    let db = world().await;
    let full = "id,account_id,name,phone,country,registered_at,email,gender,profession,birth_date,shop,city\n\
                r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,p@x.cm,Homme,Maçon,1990-01-02,big,Douala\n";
    referrals(&db, full).await;
    let part = "id,account_id,name,phone,country,registered_at,city\nr1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,\n";
    assert_eq!(counts(&referrals(&db, part).await), (1, 0, 1, 0, 0));
    let now = "select concat_ws(' ', email, gender, profession, profession_key, birth_date, attributes) from referral";
    assert_eq!(texts(&db.pool, now).await, ["p@x.cm male Maçon macon 1990-01-02 {\"shop\": \"big\"}"]);
}

#[tokio::test]
async fn a_referral_does_not_move_to_another_account() {
    let db = world().await;
    rows(&db, &["r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,"]).await;
    let report = rows(
        &db,
        &[
            "r1,a2,Paul,671000001,CM,2026-10-01T08:00:00Z,,",
            "r2,a2,Awa,671000002,CM,2026-10-01T08:00:00Z,,",
            "r2,a1,Awa,671000002,CM,2026-10-01T08:00:00Z,,",
            "r3,a3,Ada,671000003,CM,2026-10-01T08:00:00Z,,",
        ],
    )
    .await;
    assert_eq!(counts(&report), (4, 1, 0, 0, 3));
    assert_eq!(
        places(&report),
        [
            "2 account_id: a2: the id belongs to account `a1`: a referral cannot move to another account",
            "4 account_id: a1: the id belongs to account `a2`: a referral cannot move to another account",
            "5 account_id: a3: no account has this id: import the accounts first",
        ]
    );
}

const SPEAKERS: &str = "select external_id || ' ' || phone from referral where is_current order by 1";

#[tokio::test]
async fn the_newest_registration_is_the_primary_of_its_duplicates() {
    let db = world().await;
    rows(
        &db,
        &[
            "r1,a1,Paul,671000001,CM,2026-10-02T08:00:00Z,,",
            "r2,a1,Paul,+237671000001,CM,2026-10-01T08:00:00Z,,",
            "r3,a2,Paul,+237671000001,CM,2026-10-01T08:00:00Z,,",
            "r4,a1,Awa,671000002,CM,2026-10-01T08:00:00Z,,",
        ],
    )
    .await;
    let one = ["r1 +237671000001", "r3 +237671000001", "r4 +237671000002"];
    assert_eq!(texts(&db.pool, SPEAKERS).await, one);

    rows(&db, &["r5,a1,Paul,671000001,CM,2026-10-03T08:00:00Z,,"]).await;
    assert_eq!(texts(&db.pool, SPEAKERS).await, ["r3 +237671000001", "r4 +237671000002", "r5 +237671000001"]);

    // r5 turns out to be Awa; r1 speaks for Paul again.
    rows(&db, &["r5,a1,Awa,671000002,CM,2026-10-03T08:00:00Z,,"]).await;
    assert_eq!(texts(&db.pool, SPEAKERS).await, ["r1 +237671000001", "r3 +237671000001", "r5 +237671000002"]);

    // Two rows exchange their phones within one file.
    rows(&db, &["r1,a1,Paul,671000002,CM,2026-10-02T08:00:00Z,,", "r5,a1,Awa,671000001,CM,2026-10-03T08:00:00Z,,"])
        .await;
    assert_eq!(texts(&db.pool, SPEAKERS).await, ["r1 +237671000002", "r3 +237671000001", "r5 +237671000001"]);
}

/// Campaigns 1 and 2 with an active run each for `a1`.
const RUNS: &str = "insert into revision (digest, accepted_at, plan) values ('d', now(), '{}');
    insert into campaign (name) values ('one'), ('two');
    insert into run (account_id, campaign_id, phase, reason, detail, created_at, revision_id)
        select a.id, c.id, 'active', '', '{}', now(), 1 from account a, campaign c where a.external_id = 'a1';
    insert into lane (account_id) select id from account where external_id = 'a1'";

/// A target on day 2 in campaign 1 for every current referral of `a1`, with the message of day 1.
const TARGETS: &str =
    "insert into target (account_id, campaign_id, referral_id, state, day, due_at, enrolled_at, revision_id)
        select account_id, 1, id, 'active', 2, now(), now(), 1 from referral where is_current;
    insert into message (account_id, referral_id, campaign_id, day, state, attempts, phone, language, text,
                         revision_id, queued_at, sent_at)
        select account_id, id, 1, 1, 'sent', 1, phone, 'fr', '', 1, now(), now() from referral where is_current";

const TARGETS_NOW: &str = "select concat_ws(' ', r.external_id, t.campaign_id, t.state, t.exit_reason, t.day,
        (select count(*) from message m where m.account_id = t.account_id and m.referral_id = t.referral_id
         and m.campaign_id = t.campaign_id))
    from target t join referral r using (account_id) where r.id = t.referral_id order by 1";

#[tokio::test]
async fn a_newer_registration_continues_the_sequence_of_its_duplicate() {
    let db = world().await;
    rows(&db, &["r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,"]).await;
    run(&db, RUNS).await;
    run(&db, TARGETS).await;
    rows(&db, &["r2,a1,Paul,671000001,CM,2026-10-02T08:00:00Z,,"]).await;
    assert_eq!(texts(&db.pool, TARGETS_NOW).await, ["r2 1 active 2 1"]);
}

#[tokio::test]
async fn merged_people_keep_one_target_per_run() {
    let db = world().await;
    let both = ["r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,", "r2,a1,P.,671000002,CM,2026-10-02T08:00:00Z,,"];
    rows(&db, &both).await;
    run(&db, RUNS).await;
    run(&db, TARGETS).await;
    // Only r1 is in the second campaign.
    run(
        &db,
        "insert into target (account_id, campaign_id, referral_id, state, day, due_at, enrolled_at, revision_id)
         select account_id, 2, id, 'active', 5, now(), now(), 1 from referral where external_id = 'r1'",
    )
    .await;
    rows(&db, &["r1,a1,Paul,671000002,CM,2026-10-01T08:00:00Z,,"]).await;
    assert_eq!(texts(&db.pool, SPEAKERS).await, ["r2 +237671000002"]);
    assert_eq!(texts(&db.pool, TARGETS_NOW).await, ["r1 1 exited removed 2 1", "r2 1 active 2 1", "r2 2 active 5 0"]);
}

#[tokio::test]
async fn the_primary_never_changes_while_a_message_is_in_flight() {
    let db = world().await;
    rows(&db, &["r1,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,"]).await;
    run(&db, RUNS).await;
    run(&db, TARGETS).await;
    run(&db, "update message set state = 'sending', sent_at = null").await;
    rows(&db, &["r2,a1,Paul,671000001,CM,2026-10-02T08:00:00Z,,"]).await;
    assert_eq!(texts(&db.pool, SPEAKERS).await, ["r1 +237671000001"]);
    assert_eq!(texts(&db.pool, TARGETS_NOW).await, ["r1 1 active 2 1"]);

    run(&db, "update message set state = 'sent', sent_at = now()").await;
    rows(&db, &["r9,a2,Someone else,671000009,CM,2026-10-02T08:00:00Z,,"]).await;
    assert_eq!(texts(&db.pool, TARGETS_NOW).await, ["r2 1 active 2 1"]);
}

#[tokio::test]
async fn changed_facts_wake_their_runs_and_lanes() {
    let db = world().await;
    run(&db, RUNS).await;
    let woken = "select enroll_at::text from run where enroll_at is not null
                 union all select wake_at::text from lane where wake_at is not null";
    rows(&db, &["r1,a2,Paul,671000001,CM,2026-10-01T08:00:00Z,,"]).await;
    assert_eq!(texts(&db.pool, woken).await.len(), 0);
    rows(&db, &["r2,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,"]).await;
    assert_eq!(texts(&db.pool, woken).await.len(), 3);
    assert_eq!(texts(&db.pool, "select facts::text from facts_generation").await, ["3"]);
}

#[tokio::test]
async fn a_file_without_a_needed_column_is_refused_as_a_whole() {
    let db = world().await;
    for (text, reason) in [
        (
            "id,account,name,phone,country\n",
            "test:1: no columns `account_id`, `registered_at`; the header has `id`, `account`",
        ),
        ("\n", "test:1: the file is empty"),
        ("id,id\n", "test:1: two columns are called `id`"),
        ("\u{feff}\r\nnom;âge\r\n", "test:2: no columns `id`"),
    ] {
        let age = Age { as_of: time(NOW), now: time(NOW) };
        let error = import::referrals(&db.store, source(text), age).await.unwrap_err().to_string();
        assert!(error.starts_with(reason), "{error}");
    }
}

#[tokio::test]
async fn a_malformed_row_rejects_only_itself() {
    let db = world().await;
    let good = |n: u32| format!("r{n},a1,\"Pa\nul\",67100000{n},CM,2026-10-01T08:00:00Z,,\n");
    let mut text = format!("{HEADER}\n{}r7,a1,Paul\n{}", good(1), good(2)).into_bytes();
    text.extend(b"r8,a1,Jos\xe9,671000008,CM,2026-10-01T08:00:00Z,,\n");
    text.extend(good(3).bytes());
    text.extend(b"r9,a1,\"Paul,671000009,CM,2026-10-01T08:00:00Z,,\n");
    text.extend(b"r4,a1,Pa\0ul,671000004,CM,2026-10-01T08:00:00Z,,\n");
    text.extend(b"r5,a1,Paul,671000005,CM,2026-10-01T08:00:00Z,,");
    let report = referrals(&db, text).await;
    assert_eq!(
        places(&report),
        [
            "4 (row): r7: the row has 3 fields, the header 8",
            "7 name: Jos\u{fffd}: not UTF-8: in Windows-1252 it reads `José`; save the file as `CSV UTF-8`, or import it with \
             `--encoding windows-1252`",
            "10 (row): r9,a1,\"Paul,671000009,CM,2026-10-01T08:00:00Z,,: a quote is opened and never closed",
            "11 name: Pa\0ul: holds a NUL character",
        ]
    );
    assert_eq!(counts(&report), (8, 4, 0, 0, 4));
}

#[tokio::test]
async fn ndjson_and_csv_import_the_same_facts() {
    let db = world().await;
    let csv = "id,account_id,name,phone,country,registered_at,paid_at,shop\n\
               7,a1,Paul,671000001,CM,2026-10-01T08:00:00Z,,12\n";
    referrals(&db, csv).await;
    let json = "\n{\"id\":7,\"accountId\":\"a1\",\"name\":\"Paul\",\"phone\":\"671000001\",\"country\":\"CM\",\
                \"registeredAt\":\"2026-10-01T08:00:00Z\",\"paid_at\":null,\"attributes\":{\"shop\":12}}\r\n\
                {\"id\":\"8\"}\n[1]\n{\"id\":1,\"id\":2}\n";
    let report = referrals(&db, json).await;
    assert_eq!((counts(&report), report.rejected_rows()), ((4, 0, 0, 1, 7), 3));
    assert_eq!(
        places(&report),
        [
            "3 account_id: : missing",
            "3 name: : missing",
            "3 phone: : missing",
            "3 country: : missing",
            "3 registered_at: : missing",
            "4 (row): [1]: not one JSON object a line: another kind of value",
            "5 (row): {\"id\":1,\"id\":2}: not one JSON object a line: `id` stands there twice at character 12",
        ]
    );
}

fn relancectl(db: &TestDatabase, args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_relancectl"))
        .args(["--database-url", &db.url(), "import"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn the_import_command_reads_spreadsheet_exports_and_standard_input() {
    let db = database().await;
    let done = relancectl(&db, &["accounts", "-"], ACCOUNTS.as_bytes());
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "2 read: 2 inserted, 0 updated, 0 unchanged, 0 rejected\n");

    // A byte order mark, CRLF, semicolons, a name over two lines, an empty line.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/facts/referrals.csv");
    let rejects = tempfile::NamedTempFile::new().unwrap();
    let done = relancectl(&db, &["referrals", file, "-o", "json", "--rejects", rejects.path().to_str().unwrap()], b"");
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stderr));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let rejected = Rejection::new(6, "phone", "12345", "not a valid phone number of `CM`");
    let heard = serde_json::json!({"opted_out": 0, "paid": 0, "held": 0});
    let expected = serde_json::json!({"read": 3, "inserted": 2, "updated": 0, "unchanged": 0, "rejected": [rejected],
                                      "heard": heard});
    assert_eq!(report, expected);
    let written = std::fs::read_to_string(rejects.path()).unwrap();
    assert_eq!(written, "line,column,value,reason\n6,phone,12345,not a valid phone number of `CM`\n");
    let stored = "select phone || ' ' || replace(replace(name, E'\\r', ''), E'\\n', '/') || ' ' || attributes from referral order by 1";
    assert_eq!(
        texts(&db.pool, stored).await,
        ["+237671000001 Paul/Biya-Ngo {\"Shop size\": \"small\"}", "+237671000002  {}"]
    );

    let done = relancectl(&db, &["referrals", "/nowhere.csv"], b"");
    assert_eq!(done.status.code(), Some(2));
}
