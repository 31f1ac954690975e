//! Two daemons on one database: when the one that reconciles is killed, stopped or paused, the other takes over.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::daemon::{Daemon, folder, import, put, until, until_logged};
use crate::support::database::{TestDatabase, database};
use crate::support::followed::says;
use crate::support::rows::one;

fn write(dir: &Path, words: &str) {
    put(dir, &says(words));
}

/// Waits for a revision that was applied under this token.
async fn until_applied(db: &TestDatabase, daemon: &Daemon, token: i64) {
    until(&db.pool, daemon, &format!("select exists (select from revision where token = {token})")).await;
}

/// Two daemons, each with files of its own: the first one reconciles.
struct Two {
    folders: [TempDir; 2],
    db: TestDatabase,
    url: String,
    leader: Daemon,
    other: Daemon,
}

impl Two {
    async fn start() -> Self {
        let (folders, db) = ([folder(), folder()], database().await);
        let url = db.url();
        import(folders[0].path(), Some(&url), 1, 1);
        for folder in &folders {
            write(folder.path(), "Un ");
        }
        let leader = Daemon::start(folders[0].path(), Some(&url), &["run"]);
        until_applied(&db, &leader, 1).await;
        until_logged(&leader, "reconciling from here on (token 1)");
        let other = Daemon::start(folders[1].path(), Some(&url), &["run"]);
        until_logged(&other, &format!("another daemon reconciles (process {} on ", leader.pid()));
        Self { folders, db, url, leader, other }
    }

    fn folder(&self, n: usize) -> PathBuf {
        self.folders[n].path().to_owned()
    }

    /// The tokens of the revisions, in their order.
    async fn tokens(&self) -> String {
        one(&self.db.pool, "select string_agg(token::text, ' ' order by id) from revision").await
    }
}

#[tokio::test]
async fn another_daemon_takes_over_after_a_kill_or_a_stop() {
    let mut two = Two::start().await;
    two.leader.kill();
    write(&two.folder(1), "Deux ");
    until_applied(&two.db, &two.other, 2).await;
    until_logged(&two.other, "reconciling from here on (token 2)");
    assert_eq!(two.tokens().await, "1 2");

    // Told to stop, it leaves nothing to wait for.
    let url = two.url.clone();
    let third = Daemon::start(&two.folder(0), Some(&url), &["run"]);
    until_logged(&third, "another daemon reconciles");
    let folder = two.folder(0);
    assert_eq!(two.other.stop().0.code(), Some(0));
    let free = "select until is null or token = 3 from reconciler";
    assert!(one::<bool>(&two.db.pool, free).await);
    write(&folder, "Trois ");
    until_applied(&two.db, &third, 3).await;
    assert_eq!(third.stop().0.code(), Some(0));
    assert!(one::<bool>(&two.db.pool, "select until is null from reconciler").await);
}

#[tokio::test]
async fn a_daemon_paused_beyond_its_lease_resumes_as_a_follower() {
    let mut two = Two::start().await;
    two.leader.signal(Signal::STOP);
    write(&two.folder(0), "Nul ");
    write(&two.folder(1), "Deux ");
    until_applied(&two.db, &two.other, 2).await;
    two.leader.signal(Signal::CONT);
    until_logged(&two.leader, "the lease on reconciling was lost (token 1)");
    until_logged(&two.leader, &format!("another daemon reconciles (process {} on ", two.other.pid()));
    assert_eq!(two.tokens().await, "1 2");

    // It has its say again when the other is gone.
    two.other.kill();
    until_applied(&two.db, &two.leader, 3).await;
    assert_eq!(two.tokens().await, "1 2 3");
    let in_force = "select body::text like '%Nul %' from manifest where kind = 'Sequence'";
    assert!(one::<bool>(&two.db.pool, in_force).await);
}

#[tokio::test]
async fn a_daemon_paused_during_an_apply_blocks_no_other() {
    let two = Two::start().await;
    let mut hold = two.db.pool.begin().await.unwrap();
    sqlx::query("lock table revision in share mode").execute(&mut *hold).await.unwrap();
    write(&two.folder(0), "Nul ");
    let waits = "select exists (select from pg_stat_activity where datname = current_database()
                                and wait_event_type = 'Lock' and query like 'insert into revision%')";
    until(&two.db.pool, &two.leader, waits).await;
    two.leader.signal(Signal::STOP);
    hold.rollback().await.unwrap();
    // It has written, did not commit, and has every lock of a plan.
    write(&two.folder(1), "Deux ");
    until_applied(&two.db, &two.other, 2).await;
    two.leader.signal(Signal::CONT);
    until_logged(&two.leader, "the lease on reconciling was lost (token 1)");
    assert_eq!(two.tokens().await, "1 2");
}
