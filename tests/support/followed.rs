//! A daemon that follows files: what is in force, and that nothing was taken away.

use std::path::Path;
use std::time::Duration;

use relance::store::Speed;

use crate::support::daemon::{Daemon, import, until};
use crate::support::database::{TestDatabase, database};
use crate::support::rows::count;
use crate::support::trees::{ALWAYS, NO_PACE, tree};

/// A database where it is Monday, with one account and many people.
pub(crate) async fn people(dir: &Path) -> (TestDatabase, String) {
    let db = database().await;
    db.store.set_clock("2026-11-30T08:00:00Z".parse().unwrap(), Speed(1.0)).await.unwrap();
    let url = db.url();
    import(dir, Some(&url), 1, 10);
    (db, url)
}

/// A tree with one campaign, whose first message says this.
pub(crate) fn says(words: &str) -> String {
    tree(3, NO_PACE, &[("c", ALWAYS)]).replace("Jour ", words)
}

pub(crate) async fn until_in_force(db: &TestDatabase, daemon: &Daemon, words: &str) {
    let query = format!("select exists (select from manifest m where m::text like '%{words}%')");
    let took = until(&db.pool, daemon, &query).await;
    // A daemon that no event reached would still find it, by reading everything every 30 s.
    assert!(took < Duration::from_secs(20), "`{words}` took {took:?}");
}

pub(crate) async fn until_active(db: &TestDatabase, daemon: &Daemon) {
    until(&db.pool, daemon, "select exists (select from run where phase = 'active')").await;
}

/// Nothing of what runs was touched.
pub(crate) async fn nothing_is_cancelled(db: &TestDatabase) {
    assert_eq!(count(&db.pool, "run where phase = 'active'").await, 1);
    assert_eq!(count(&db.pool, "target where state = 'exited'").await, 0);
}
