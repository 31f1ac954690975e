//! Resource usage other than time: CPU seconds, which stay comparable on a busy machine, statements, commits and WAL.

use std::fs;
use std::path::Path;

use sqlx::{Connection, Executor, PgConnection};

/// `USER_HZ`, the unit of CPU time in `/proc`, is the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the CPU seconds of this process so far.
pub(crate) fn own_cpu() -> f64 {
    stat(Path::new("/proc/self")).map_or(f64::NAN, |stat| stat.own)
}

/// One reading of the server's counters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// CPU seconds of the server, including its checkpoints and vacuuming.
    pub(crate) cpu: f64,
    pub(crate) wal_bytes: f64,
    pub(crate) commits: f64,
    /// Statements, including `begin` and `commit`; NaN where Postgres does not count them.
    pub(crate) statements: f64,
}

impl Usage {
    /// Reads the counters. The commits of another session are complete only after it ends.
    pub(crate) async fn read(psql: &mut PgConnection) -> Self {
        let (wal_bytes, commits, counted, backend): (f64, f64, bool, i32) = sqlx::query_as(
            "select (pg_current_wal_insert_lsn() - '0/0')::float8, xact_commit::float8,
                    exists (select from pg_extension where extname = 'pg_stat_statements'), pg_backend_pid()
             from pg_stat_database where datname = current_database()",
        )
        .fetch_one(&mut *psql)
        .await
        .unwrap();
        let calls = "select coalesce(sum(calls), 0)::float8 from pg_stat_statements
                     where dbid = (select oid from pg_database where datname = current_database())";
        let statements =
            if counted { sqlx::query_scalar(calls).fetch_one(&mut *psql).await.unwrap() } else { f64::NAN };
        Self { cpu: server_cpu(backend), wal_bytes, commits, statements }
    }

    /// Returns the usage since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu - before.cpu,
            wal_bytes: self.wal_bytes - before.wal_bytes,
            commits: self.commits - before.commits,
            statements: self.statements - before.statements,
        }
    }
}

/// Vacuums the tables and makes a checkpoint, so that the next measurement does not pay for earlier work.
pub(crate) async fn settle(url: &str) {
    // A session's commits are counted in full only when it ends.
    let mut psql = PgConnection::connect(url).await.unwrap();
    for statement in ["vacuum analyze", "checkpoint"] {
        psql.execute(statement).await.unwrap();
    }
    psql.close().await.unwrap();
}

struct Stat {
    parent: i32,
    own: f64,
    /// CPU seconds of its ended children.
    ended: f64,
}

/// Returns the CPU seconds of all processes of the server that `backend` belongs to, including ended ones.
fn server_cpu(backend: i32) -> f64 {
    let Some(Stat { parent: postmaster, .. }) = stat(&Path::new("/proc").join(backend.to_string())) else {
        return f64::NAN;
    };
    let Some(server) = stat(&Path::new("/proc").join(postmaster.to_string())) else { return f64::NAN };
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| stat(&entry.ok()?.path()));
    let living: f64 = processes.filter(|process| process.parent == postmaster).map(|process| process.own).sum();
    server.own + server.ended + living
}

fn stat(process: &Path) -> Option<Stat> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    // The program name may contain any character, including blanks and brackets.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |at: usize| fields.get(at)?.parse::<f64>().ok().map(|ticks| ticks / TICKS_PER_SECOND);
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: seconds(11)? + seconds(12)?,
        ended: seconds(13)? + seconds(14)?,
    })
}
