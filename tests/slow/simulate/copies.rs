//! A database is copied whole, and stays as it was.

use std::process::Command;

use relance::store::{Schema, Speed, Store};
use relance::time_machine::{Rates, simulate};
use sqlx::AssertSqlSafe;

use super::{FROM, fill, settings, sources, welcome};
use crate::support::database::{TestDatabase, database};

/// Every row of every table as text, in the order of their texts; texts of messages are left out if asked.
async fn dump(database: &TestDatabase, blank: bool) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where schemaname = 'public' and ($1 or tablename <> '_sqlx_migrations')
         order by 1",
    )
    .bind(!blank)
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let mut rows = Vec::new();
    for table in tables {
        let left_out = [
            "api_token",
            "api_request",
            "event",
            "sandbox_message",
            "clock",
            "refused_plan",
            "frozen_manifest",
            "notifier",
            "notification",
            "webhook",
            "provider_message",
            "moved_target",
            "alias",
            "inbound",
            "conversation",
            "confirmation",
            "pending_stop",
            "person_hold",
            "erasure",
            "erasure_key",
            "import_column",
            "imported_attribute",
            "installation",
        ];
        if blank && left_out.contains(&table.as_str()) {
            continue;
        }
        let row = if blank { "(to_jsonb(t) - 'text')::text" } else { "t::text" };
        let query = format!("select '{table} ' || {row} from {table} t order by 1");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&database.pool).await.unwrap();
        assert!(!blank || !found.is_empty() || table == "lease", "`{table}` is empty: it shows nothing");
        rows.extend(found);
    }
    rows
}

/// A database with two days behind it, and people who still wait for messages.
async fn lived_in() -> TestDatabase {
    let database = database().await;
    fill(&database.store).await;
    let rates = Rates { failure: 0.1, stop: 0.2, paid: 0.1 };
    simulate(&database.store, &sources(&welcome()), &settings(2, rates), |_| ()).await.unwrap();
    let pause = "insert into override (account_id, action, actor, reason, created_at, until)
                 select id, 'pause', 'maria', 'audit', '2026-12-01Z', '2026-12-02Z' from account limit 1";
    let halts = "with account_halt as (
                   insert into account_halt (account_id, reason, detail, halted_at, until, times)
                   select id, 'failure-rate', '{}', '2026-11-01Z', '2026-11-02Z', 1 from account limit 1)
                 insert into channel_halt (channel, detail, halted_at, until, times)
                 values ('wa', '{}', '2026-11-01Z', '2026-11-02Z', 1)";
    let stops = "with sender as (insert into sender values ('wa', '901', '237600000901', 'waba'))
                 insert into provider_stop values ('wa', 'template', 'welcome', 'fr', '2026-11-01Z', true, null, '{}')";
    for facts in [pause, halts, stops] {
        sqlx::query(facts).execute(&database.pool).await.unwrap();
    }
    database
}

#[tokio::test]
async fn a_copy_has_all_rows_without_texts_and_continues_sequences() {
    let (original, copy) = (lived_in().await, database().await);
    let (source, schema) = Store::look_at(&original.url(), 1).await.unwrap();
    assert_eq!(schema, Schema::Present);
    source.copy_world(&copy.store).await.unwrap();
    assert_eq!(dump(&copy, true).await, dump(&original, true).await);
    let texts: Vec<String> =
        sqlx::query_scalar("select distinct text from message").fetch_all(&copy.pool).await.unwrap();
    assert_eq!(texts, [""]);
    let next: i32 = sqlx::query_scalar("insert into campaign (name) values ('new') returning id")
        .fetch_one(&copy.pool)
        .await
        .unwrap();
    assert_eq!(next, 2);
    source.close().await;
}

#[tokio::test]
async fn only_a_database_of_this_version_is_read() {
    let original = database().await;
    let schema = async || {
        let (store, schema) = Store::look_at(&original.url(), 1).await.unwrap();
        store.close().await;
        schema
    };
    assert_eq!(schema().await, Schema::Present);
    sqlx::query("insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, '', true, '', 0)")
        .execute(&original.pool)
        .await
        .unwrap();
    assert_eq!(schema().await, Schema::Other);
    sqlx::query("update _sqlx_migrations set checksum = '' where version = 1").execute(&original.pool).await.unwrap();
    assert_eq!(schema().await, Schema::Unreleased);
    sqlx::query("drop table _sqlx_migrations").execute(&original.pool).await.unwrap();
    assert_eq!(schema().await, Schema::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_starts_from_a_database_without_changing_it() {
    let original = lived_in().await;
    let now = FROM.parse::<relance::core::domain::Timestamp>().unwrap() + chrono::TimeDelta::days(2);
    original.store.set_clock(now, Speed(0.0)).await.unwrap();
    // From here on any attempt to write fails.
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(&original.pool).await.unwrap();
    let lock = format!("alter database \"{name}\" set default_transaction_read_only = on");
    sqlx::query(AssertSqlSafe(lock)).execute(&original.pool).await.unwrap();
    let before = dump(&original, false).await;

    let dir = super::commands::folder(&[("campaigns/tree.yaml", &welcome())]);
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relancectl"));
        let output = command.args(args).current_dir(&dir).env("DATABASE_URL", original.url()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let report = run(&["simulate", "--days", "5", "-o", "json"]);
    assert_eq!(report["from"], "2026-12-02T06:00:00Z");
    // Whoever was in it is in it still: nobody is taken again, and nobody gets a day twice.
    assert_eq!(report["totals"]["enrolled"], 0);
    assert!(report["totals"]["sent"].as_u64().unwrap() > 0);
    assert_eq!(dump(&original, false).await, before);
}
