//! Disposable databases in a private server: one for each test, one for each simulation.
//!
//! A template, keyed by the migrations, is migrated once, and each database is a copy of it. The next process drops
//! databases that a dead process left.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};
use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{Error, Server, quoted};
use crate::core::domain::hex;

/// The key of the advisory lock on the template; any key works that is unique on this server.
const TEMPLATE_LOCK: i64 = 0x7265_6c61;

/// Empties every table except those that a migration filled, and restarts their sequences.
const EMPTY: &str = "do $$ begin
  execute (select 'truncate ' || string_agg(format('%I', tablename), ', ') || ' restart identity cascade' from pg_tables
           where schemaname = 'public' and tablename not in ('_sqlx_migrations', 'generation', 'facts_generation'));
  update generation set desired = 0;
  update facts_generation set facts = 0;
end $$";

/// A server with a migrated template.
#[derive(Debug)]
pub struct Scratch {
    server: Server,
    template: String,
    made: AtomicU32,
}

impl Scratch {
    /// Creates the template with `migrator` unless it exists, and drops databases left by dead processes and older
    /// migrations.
    pub async fn prepare(server: Server, migrator: &Migrator) -> Result<Self, Error> {
        let migrations = migrator.iter().fold(Sha256::new(), |hash, migration| hash.chain_update(&migration.checksum));
        let template = format!("template_{}", hex(&migrations.finalize()[..6]));
        prepare(&server, &template, migrator).await.map_err(Error::sql("prepare databases to throw away"))?;
        Ok(Self { server, template, made: AtomicU32::new(0) })
    }

    /// Creates a migrated, empty database and returns its name.
    pub async fn create(&self) -> Result<String, Error> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("scratch_{}_{number}", getpid().as_raw_nonzero());
        self.server.create_database(&name, Some(&self.template)).await?;
        Ok(name)
    }

    pub fn url(&self, name: &str) -> String {
        self.server.url(name)
    }

    /// Resets a database to its state at creation. This is faster than creating another, and its connections stay.
    pub async fn empty(&self, name: &str) -> Result<(), Error> {
        let empty = async {
            let mut database = PgConnection::connect(&self.server.url(name)).await?;
            sqlx::raw_sql(EMPTY).execute(&mut database).await?;
            database.close().await
        };
        empty.await.map_err(Error::sql("empty a database"))
    }

    /// Drops a database, even if clients are connected to it.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        remove(&self.server, name).await.map_err(Error::sql("drop a database"))
    }
}

async fn prepare(server: &Server, template: &str, migrator: &Migrator) -> Result<(), sqlx::Error> {
    let mut admin = PgConnection::connect(&server.url("postgres")).await?;
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut admin).await?;
    let names: Vec<String> = sqlx::query_scalar("select datname::text from pg_database").fetch_all(&mut admin).await?;
    for left in names.iter().filter(|name| is_left(name, template)) {
        admin.execute(AssertSqlSafe(format!("drop database if exists {} with (force)", quoted(left)))).await?;
    }
    if !names.iter().any(|name| name == template) {
        // The template has another name until it is complete.
        let new = format!("new_{template}");
        admin.execute(AssertSqlSafe(format!("create database {}", quoted(&new)))).await?;
        let mut database = PgConnection::connect(&server.url(&new)).await?;
        migrator.run(&mut database).await?;
        database.close().await?;
        let rename = format!("alter database {} rename to {}", quoted(&new), quoted(template));
        admin.execute(AssertSqlSafe(rename)).await?;
    }
    admin.close().await
}

/// Returns true if no process needs this database any more.
fn is_left(database: &str, template: &str) -> bool {
    match database.split_once('_') {
        Some(("scratch", rest)) => {
            let pid = rest.split('_').next().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
            pid.is_none_or(|pid| test_kill_process(pid) == Err(Errno::SRCH))
        }
        Some(("template" | "new", _)) => database != template,
        _ => false,
    }
}

async fn remove(server: &Server, name: &str) -> Result<(), sqlx::Error> {
    let mut admin = PgConnection::connect(&server.url("postgres")).await?;
    // Sessions are ended first and one by one, because Postgres itself checks only ten times a second if they are gone.
    loop {
        let ended = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        if sqlx::query(ended).bind(name).fetch_all(&mut admin).await?.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    admin.execute(AssertSqlSafe(format!("drop database if exists {} with (force)", quoted(name)))).await?;
    admin.close().await
}

#[cfg(test)]
mod tests {
    use rustix::process::getpid;

    use super::is_left;

    #[test]
    fn databases_of_live_processes_and_of_postgres_are_kept() {
        let ours = format!("scratch_{}_0", getpid().as_raw_nonzero());
        for kept in [ours.as_str(), "template_now", "template0", "template1", "postgres", "relance", "other_db"] {
            assert!(!is_left(kept, "template_now"), "{kept}");
        }
        for left in ["scratch_2147483646_3", "scratch_x", "template_old", "new_template_now"] {
            assert!(is_left(left, "template_now"), "{left}");
        }
    }
}
