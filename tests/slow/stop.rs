//! A STOP reaches a real daemon while a long transaction has the locks of its other effects, and after a daemon died.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use relance::core::domain::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use crate::support::daemon::{Daemon, folder, import, put, until, until_logged};
use crate::support::database::{TestDatabase, database};
use crate::support::house::{SECRET, channel, envelope, post};
use crate::support::rows::{column, count};
use crate::support::trees::{ALWAYS, NO_PACE, tree};

/// A STOP is in force within about a second; this much on a busy machine.
const SOON: Duration = Duration::from_secs(5);

struct Posted {
    dir: TempDir,
    db: TestDatabase,
    url: String,
    address: SocketAddr,
}

impl Posted {
    async fn new() -> Self {
        let (dir, db) = (folder(), database().await);
        let url = db.url();
        import(dir.path(), Some(&url), 1, 3);
        put(dir.path(), &(tree(3, NO_PACE, &[("c", ALWAYS)]) + &channel(&dir)));
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { dir, db, url, address }
    }

    /// A daemon that knows the channel and has enrolled everybody.
    async fn daemon(&self) -> Daemon {
        let listen = self.address.to_string();
        let daemon = Daemon::start(self.dir.path(), Some(&self.url), &["run", "--listen", &listen]);
        until_logged(&daemon, "listening");
        until(&self.db.pool, &daemon, "select count(*) = 3 from target").await;
        daemon
    }

    /// Person `n` writes STOP. The daemon may still have to learn of its channel.
    fn stop(&self, n: u32, now: Timestamp) {
        let message = json!({"id": format!("in.{n}"), "from": (237_671_010_000_u64 + u64::from(n)).to_string(),
                             "timestamp": now.timestamp().to_string(), "type": "text", "text": {"body": "STOP"}});
        let body = envelope("messages", &json!({"metadata": {"phone_number_id": "100"}, "messages": [message]}));
        let began = Instant::now();
        while post(self.address, body.as_bytes(), SECRET).0 != 200 {
            assert!(began.elapsed() < Duration::from_secs(20), "the post is not taken");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[tokio::test]
async fn a_real_daemon_hears_stops_while_an_enrollment_has_the_locks_and_while_it_is_busy_with_the_first() {
    let posted = Posted::new().await;
    let daemon = posted.daemon().await;
    let (pool, (now, _)) = (&posted.db.pool, posted.db.store.now().await.unwrap());
    let mut enrollment = pool.begin().await.unwrap();
    for lock in [
        "select pg_advisory_xact_lock_shared(x'72656c616e636502'::bigint)",
        "select from lane order by account_id for update",
    ] {
        sqlx::query(lock).execute(&mut *enrollment).await.unwrap();
    }
    for n in 0..3 {
        posted.stop(n, now);
        let took = until(pool, &daemon, &format!("select count(*) = {} from suppression", n + 1)).await;
        assert!(took < SOON, "the STOP of person {n} took {took:?}");
    }
    assert_eq!(count(pool, "target where state = 'active'").await, 3);
    enrollment.rollback().await.unwrap();
    until(pool, &daemon, "select count(*) = 3 from target where exit_reason = 'opted-out'").await;
    until(pool, &daemon, "select count(*) = 0 from webhook where processed_at is null").await;
    assert_eq!(count(pool, "pending_stop").await, 0);
    assert_eq!(daemon.stop().0.code(), Some(0));
}

#[tokio::test]
async fn a_stop_that_a_killed_daemon_had_taken_is_in_force_as_soon_as_the_next_one_runs() {
    let posted = Posted::new().await;
    let mut daemon = posted.daemon().await;
    let (pool, (now, _)) = (&posted.db.pool, posted.db.store.now().await.unwrap());
    // The daemon takes the post, and dies before it does anything about it.
    let mut held = pool.begin().await.unwrap();
    sqlx::query("lock table pending_stop in share mode").execute(&mut *held).await.unwrap();
    posted.stop(1, now);
    until(pool, &daemon, "select exists (select from webhook where is_claimed)").await;
    daemon.kill();
    held.rollback().await.unwrap();
    assert_eq!(count(pool, "suppression").await, 0);
    let next = posted.daemon().await;
    let took = until(pool, &next, "select count(*) = 1 from suppression").await;
    assert!(took < SOON, "the STOP took {took:?}");
    until(pool, &next, "select count(*) = 0 from webhook where processed_at is null").await;
    let left: Vec<String> = column(pool, "select exit_reason from target where state = 'exited'").await;
    assert_eq!(left, ["opted-out"]);
    assert_eq!(next.stop().0.code(), Some(0));
}
