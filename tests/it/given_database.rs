//! Databases of somebody else: behind a pooler, with few connections, for reading only, under a URL that means something
//! else.

use std::process::Output;

use crate::support::daemon::{folder, import, put, relancectl, text};
use crate::support::database::{TestDatabase, database};
use crate::support::pooler::{Mode, pooler};
use crate::support::rows::{execute, one};
use crate::support::trees::{ALWAYS, NO_PACE, tree};

const READING: [&[&str]; 8] = [
    &["get", "runs"],
    &["get", "targets"],
    &["describe", "campaign", "c"],
    &["plan"],
    &["log"],
    &["estimate", "c"],
    &["explain", "referral", "r1-0"],
    &["contact", "show", "+237671010000"],
];

/// A database with people and a revision, and the folder of its manifests.
async fn filled() -> (tempfile::TempDir, TestDatabase) {
    let (dir, db) = (folder(), database().await);
    let url = db.url();
    import(dir.path(), Some(&url), 1, 3);
    put(dir.path(), &tree(2, NO_PACE, &[("c", ALWAYS)]));
    let output = relancectl(dir.path(), Some(&url), &["apply"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    (dir, db)
}

/// Makes a role of the database, with a name of its own on the server.
async fn role(db: &TestDatabase, name: &str, options: &str) -> String {
    let database: String = one(&db.pool, "select current_database()::text").await;
    let role = format!("{name}_{database}");
    execute(&db.pool, &format!("create role {role} login {options}")).await;
    execute(&db.pool, &format!("grant usage on schema public to {role}")).await;
    role
}

async fn drop_role(db: &TestDatabase, role: &str) {
    execute(&db.pool, &format!("drop owned by {role}")).await;
    execute(&db.pool, &format!("drop role {role}")).await;
}

fn as_role(url: &str, role: &str) -> String {
    url.replace("relance@", &format!("{role}@"))
}

fn refused(output: &Output) -> String {
    let said = text(output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

#[tokio::test]
async fn what_only_reads_needs_no_more_than_select() {
    let (dir, db) = filled().await;
    let looker = role(&db, "looker", "").await;
    execute(&db.pool, &format!("grant select on all tables in schema public to {looker}")).await;
    for args in READING {
        let output = relancectl(dir.path(), Some(&as_role(&db.url(), &looker)), args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
    }
    // What writes is refused by the server, and says so.
    let pause = ["pause", "c", "--reason", "x", "--actor", "ana"];
    let output = relancectl(dir.path(), Some(&as_role(&db.url(), &looker)), &pause).output().unwrap();
    assert!(refused(&output).contains("permission denied"), "{}", text(&output));
    drop_role(&db, &looker).await;
}

#[tokio::test]
async fn a_database_that_is_only_read_is_read() {
    let (dir, db) = filled().await;
    let url = format!("{}&options=-c%20default_transaction_read_only%3Don", db.url());
    for args in READING {
        let output = relancectl(dir.path(), Some(&url), args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
    }
    let pause = ["pause", "c", "--reason", "x", "--actor", "ana"];
    let output = relancectl(dir.path(), Some(&url), &pause).output().unwrap();
    assert!(refused(&output).contains("read-only transaction"), "{}", text(&output));
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_named_and_one_in_session_mode_serves() {
    let (dir, db) = filled().await;
    let shared = pooler(&db.url(), Mode::Transaction);
    for args in [&["run"][..], &["get", "runs"], &["import", "accounts", "accounts.csv"]] {
        let said = refused(&relancectl(dir.path(), Some(&shared), args).output().unwrap());
        assert!(said.contains("a pooler in transaction mode") && said.contains("session mode"), "{args:?}: {said}");
    }
    let own = pooler(&db.url(), Mode::Session);
    let output = relancectl(dir.path(), Some(&own), &["get", "runs"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[tokio::test]
async fn a_daemon_says_how_many_connections_it_needs_and_gets() {
    let (dir, db) = filled().await;
    let few = role(&db, "few", "connection limit 3").await;
    execute(&db.pool, &format!("grant all on all tables in schema public to {few}")).await;
    let output = relancectl(dir.path(), Some(&as_role(&db.url(), &few)), &["run"]).output().unwrap();
    let said = refused(&output);
    assert!(said.contains("a daemon needs 20 connections, and the server gives 3"), "{said}");
    assert!(said.contains("`connection limit`"), "{said}");
    // Other commands need fewer.
    let output = relancectl(dir.path(), Some(&as_role(&db.url(), &few)), &["get", "runs"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    drop_role(&db, &few).await;
}

#[test]
fn a_url_that_cannot_work_is_refused_in_words_without_its_password() {
    let dir = folder();
    for (url, said) in [
        ("mysql://u:s3cret@127.0.0.1/db", "`mysql://` is not the URL of a PostgreSQL database"),
        ("postgres://u:s3cret@127.0.0.1,127.0.0.2/db", "several hosts"),
        ("postgres://u:s3cret@127.0.0.1/db?schema=relance", "`schema`"),
        ("postgres://u:s3cret@127.0.0.1:65536/db", "ports are 1 to 65535"),
    ] {
        let output = refused(&relancectl(dir.path(), Some(url), &["get", "runs"]).output().unwrap());
        assert!(output.contains(said) && !output.contains("s3cret"), "{url}: {output}");
    }
}

#[tokio::test]
async fn trials_never_hurry_the_clock_of_real_people() {
    let (dir, db) = filled().await;
    let output = relancectl(dir.path(), Some(&db.url()), &["run", "--speed", "600"]).output().unwrap();
    assert!(refused(&output).contains("--speed is for trials"), "{}", text(&output));
    assert_eq!(one::<i64>(&db.pool, "select count(*) from clock").await, 0);
}

#[tokio::test]
async fn numbers_of_revisions_do_not_jump() {
    let (dir, db) = filled().await;
    // A transaction that fails takes no number with it.
    execute(&db.pool, "select nextval(pg_get_serial_sequence('revision', 'id')) from generate_series(1, 5)").await;
    put(dir.path(), &tree(3, NO_PACE, &[("c", ALWAYS)]));
    let output = relancectl(dir.path(), Some(&db.url()), &["apply"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(one::<i32>(&db.pool, "select max(id) from revision").await, 2);
}
