//! What work costs beside time: CPU seconds, which mean the same on a busy machine, statements, commits and WAL.

use std::fs;
use std::path::Path;

use sqlx::{Connection, Executor, PgConnection};

/// `USER_HZ`, the unit of `/proc`, is the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds of this process so far.
pub(crate) fn own_cpu() -> f64 {
    stat(Path::new("/proc/self")).map_or(f64::NAN, |stat| stat.own)
}

/// What the server counts, read once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// CPU seconds of the server with everything it does beside: checkpoints, vacuuming.
    pub(crate) cpu: f64,
    pub(crate) wal_bytes: f64,
    pub(crate) commits: f64,
    /// Those that begin and end transactions included; NaN where Postgres does not count them.
    pub(crate) statements: f64,
}

impl Usage {
    /// Reads it. Commits of others who use this database are all counted once they are gone.
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

    /// What was used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu - before.cpu,
            wal_bytes: self.wal_bytes - before.wal_bytes,
            commits: self.commits - before.commits,
            statements: self.statements - before.statements,
        }
    }
}

/// Puts the tables in order and everything on disk, so that what comes next does not pay for what was before.
pub(crate) async fn settle(url: &str) {
    // A session's commits are all counted when it ends.
    let mut psql = PgConnection::connect(url).await.unwrap();
    for statement in ["vacuum analyze", "checkpoint"] {
        psql.execute(statement).await.unwrap();
    }
    psql.close().await.unwrap();
}

struct Stat {
    parent: i32,
    own: f64,
    /// Of its children that have ended.
    ended: f64,
}

/// CPU seconds of the server of which `backend` is a process, of all its processes, those that have ended included.
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
    // The name of the program may hold anything, blanks and brackets too.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |at: usize| fields.get(at)?.parse::<f64>().ok().map(|ticks| ticks / TICKS_PER_SECOND);
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: seconds(11)? + seconds(12)?,
        ended: seconds(13)? + seconds(14)?,
    })
}
