//! The tables of a database: which versions are refused, and that the schema knows every state of the lifecycle.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use relance::core::lifecycle::event::EventKind;
use relance::core::lifecycle::message;
use relance::core::lifecycle::overrides::Action;
use relance::core::lifecycle::run::Phase;
use relance::core::lifecycle::target;
use relance::store::Store;
use sqlx::{PgConnection, PgPool};

use crate::support::database::database;

/// A tree without campaigns.
const DEFAULTS: &str = "{apiVersion: relance/v1, kind: Defaults, metadata: {name: all}, spec: {}}";

/// Gives a database the history of one from before the first release: another first step, and `last` steps in all.
pub(crate) async fn make_unreleased(database: &mut PgConnection, last: i64) {
    sqlx::query("update _sqlx_migrations set checksum = 'another' where version = 1")
        .execute(&mut *database)
        .await
        .unwrap();
    let steps = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 select version, 'step', true, 'another', 0 from generate_series(2, $1) version";
    sqlx::query(steps).bind(last).execute(database).await.unwrap();
}

/// The tables of a database with their columns, and every row that a migration could have written.
async fn everything(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select concat_ws(' ', table_name, column_name, data_type) as line from information_schema.columns
         where table_schema = 'public'
         union all select m::text from _sqlx_migrations m
         union all select a::text from account a
         order by line",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_unreleased_schema_is_refused_and_left_unchanged() {
    for last in [1, 26] {
        let database = database().await;
        sqlx::query(
            "insert into account (external_id, name, timezone, as_of) values ('a1', 'Awa', 'UTC', '2026-01-01Z')",
        )
        .execute(&database.pool)
        .await
        .unwrap();
        make_unreleased(&mut database.pool.acquire().await.unwrap(), last).await;
        let before = everything(&database.pool).await;
        assert!(before.len() > 100, "{before:?}");
        for args in [&["get", "runs"][..], &["apply"], &["run"], &["simulate", "--days", "1"], &["export", "state"]] {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("campaigns")).unwrap();
            fs::write(folder.path().join("campaigns/defaults.yaml"), DEFAULTS).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_relancectl"));
            let refused = command.args(args).current_dir(&folder).env("DATABASE_URL", database.url()).output().unwrap();
            let said = String::from_utf8(refused.stderr).unwrap();
            assert_eq!(refused.status.code(), Some(2), "{args:?}: {said}");
            assert!(said.contains("from before the first release made it"), "{args:?}: {said}");
            assert!(said.contains("`relancectl db reset`") && said.contains("drop it and create it"), "{said}");
        }
        assert_eq!(everything(&database.pool).await, before);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_unchanged() {
    let database = database().await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (9999, 'future', true, '', 0)";
    sqlx::query(newer).execute(&database.pool).await.unwrap();
    let before = everything(&database.pool).await;
    let refused = Store::open(&database.url(), 1).await.unwrap_err().to_string();
    assert!(refused.contains("newer than this relancectl"), "{refused}");
    assert_eq!(everything(&database.pool).await, before);
}

#[tokio::test]
async fn the_schema_admits_exactly_the_states_of_the_lifecycle() {
    let database = database().await;
    for (constraint, states) in [
        ("run_phase_check", Phase::ALL.map(Phase::as_str).to_vec()),
        ("target_exit_reason_check", target::Exit::ALL.map(target::Exit::as_str).to_vec()),
        ("message_state_check", message::State::ALL.map(message::State::as_str).to_vec()),
        ("override_action_check", Action::ALL.map(Action::as_str).to_vec()),
        ("event_kind_check", EventKind::ALL.map(EventKind::as_str).to_vec()),
    ] {
        let rule: String = sqlx::query_scalar("select pg_get_constraintdef(oid) from pg_constraint where conname = $1")
            .bind(constraint)
            .fetch_one(&database.pool)
            .await
            .unwrap();
        // Every second part of the text stands between quotes.
        let admitted: BTreeSet<&str> = rule.split('\'').skip(1).step_by(2).collect();
        assert_eq!(admitted, states.into_iter().collect(), "{constraint}");
    }
}
