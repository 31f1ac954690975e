//! Killed at any instant: nothing leaves twice, nobody is lost, and what is not known is said.

use std::fs;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use relance::core::domain::Timestamp;
use relance::store::{Speed, Store};
use rustix::process::Signal;
use sqlx::PgPool;

use crate::support::daemon::{Daemon, Private, folder, import, relancectl, until};
use crate::support::database::database;
use crate::support::rows::{count, one};
use crate::support::trees::{ALWAYS, NO_PACE, tree};

const ACCOUNTS: usize = 5;
const PEOPLE: usize = 240;
const RUN: [&str; 3] = ["run", "--speed", "60"];

/// Rounds of a test; `RELANCE_ROUNDS` asks for more.
pub(crate) fn rounds(usual: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a longer run is asked for by hand")]
    std::env::var("RELANCE_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

fn write_tree(dir: &Path, days: u16) {
    let spec = format!("{ALWAYS}, limits: {{messagesPerDay: 1000}}");
    fs::create_dir(dir.join("campaigns")).unwrap();
    fs::write(dir.join("campaigns/tree.yaml"), tree(days, NO_PACE, &[("c", &spec)])).unwrap();
}

/// A moment of up to `most`, the same for the same round.
pub(crate) fn moment(round: u64, most: Duration) -> Duration {
    let mixed = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    most * u32::try_from(mixed >> 48).unwrap() / (1 << 16)
}

/// What must hold whenever nobody runs.
pub(crate) async fn check(pool: &PgPool) {
    let never = [
        (
            "a message left twice",
            "select count(*) from (select from sandbox_message group by account_id, campaign_id, referral_id, day having count(*) > 1) d",
        ),
        (
            "a sent message is not in the ledger",
            "select count(*) from message m left join sandbox_message s using (account_id, campaign_id, referral_id, day)
             where m.state = 'sent' and s.id is null",
        ),
        (
            "something left that nobody knows of",
            "select count(*) from sandbox_message s left join message m using (account_id, campaign_id, referral_id, day)
             where m.state is null or m.state not in ('sent', 'sending', 'uncertain')",
        ),
        (
            "two messages of one day for one person",
            "select count(*) from (select from message where quota_date is not null group by account_id, referral_id, quota_date having count(*) > 1) d",
        ),
        (
            "a counter of an account differs from its messages",
            "select count(*) from lane l where taken <> (
               select count(*) from message m where m.account_id = l.account_id and m.quota_date = l.taken_on)",
        ),
        (
            "a counter of a run differs from its messages",
            "select count(*) from run r where taken <> (
               select count(*) from message m where (m.account_id, m.campaign_id, m.quota_date) = (r.account_id, r.campaign_id, r.taken_on))",
        ),
        (
            "a message is on its way without a lease",
            "select count(*) from message m
             left join (select k.* from lease l, unnest(l.account_ids, l.campaign_ids, l.referral_ids, l.days)
                          as k (account_id, campaign_id, referral_id, day)) k using (account_id, campaign_id, referral_id, day)
             where m.state = 'sending' and k.day is null",
        ),
    ];
    for (what, query) in never {
        assert_eq!(one::<i64>(pool, query).await, 0, "{what}");
    }
}

/// Moves the clock to noon of the day after, while nobody runs: every old lease is over then.
async fn next_day(store: &Store) {
    let (now, _) = store.now().await.unwrap();
    let noon: Timestamp = (now.date_naive() + TimeDelta::days(1)).and_hms_opt(12, 0, 0).unwrap().and_utc();
    store.set_clock(noon, Speed(1.0)).await.unwrap();
}

async fn ledger(pool: &PgPool) -> i64 {
    count(pool, "sandbox_message").await
}

/// Runs fast until everybody is through, then looks at every person.
pub(crate) async fn finish(dir: &Path, url: Option<&str>, pool: &PgPool, people: usize, days: u16) {
    let daemon = Daemon::start(dir, url, &["run", "--speed", "100000"]);
    until(pool, &daemon, "select bool_and(phase = 'completed') from run").await;
    let (status, _) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    check(pool).await;
    let lost = format!(
        "select count(*) from target t
         left join (select account_id, campaign_id, referral_id, count(*) from message where state in ('sent', 'uncertain')
                    group by 1, 2, 3) m using (account_id, campaign_id, referral_id)
         where t.state <> 'completed' or m.count is distinct from {days}"
    );
    assert_eq!(one::<i64>(pool, &lost).await, 0, "somebody is lost");
    assert_eq!(count(pool, "target").await, i64::try_from(people).unwrap());
}

#[tokio::test]
async fn a_daemon_killed_twenty_times_never_sends_twice_or_loses_anyone() {
    let (dir, db) = (folder(), database().await);
    db.store.set_clock("2026-11-30T12:00:00Z".parse().unwrap(), Speed(1.0)).await.unwrap();
    let url = db.url();
    import(dir.path(), Some(&url), ACCOUNTS, PEOPLE);
    // A round sends one day at most, so that there is always something left to be killed in.
    let rounds = rounds(20);
    let days = u16::try_from(rounds + 3).unwrap();
    write_tree(dir.path(), days);
    let mut in_the_middle = 0;
    for round in 0..rounds {
        let before = ledger(&db.pool).await;
        let mut daemon = Daemon::start(dir.path(), Some(&url), &RUN);
        // Some are killed as soon as they begin to claim, the others a moment after the first message.
        let claims = "exists (select from lease where until > (select shown from clock))";
        let begun = if round % 3 == 0 { claims } else { "false" };
        until(&db.pool, &daemon, &format!("select count(*) > {before} or {begun} from sandbox_message")).await;
        if round % 3 != 0 {
            tokio::time::sleep(moment(round, Duration::from_millis(80))).await;
        }
        daemon.kill();
        in_the_middle += i32::from(one::<bool>(&db.pool, "select exists (select from lease)").await);
        check(&db.pool).await;
        next_day(&db.store).await;
    }
    assert!(in_the_middle > 0, "no kill came in the middle of a hand-over");

    // Told to stop in the middle of the work, it ends well.
    let before = ledger(&db.pool).await;
    let daemon = Daemon::start(dir.path(), Some(&url), &RUN);
    until(&db.pool, &daemon, &format!("select count(*) > {before} from sandbox_message")).await;
    until(&db.pool, &daemon, "select not exists (select from lease where until < (select shown from clock))").await;
    let (status, took) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(30));
    assert_eq!(count(&db.pool, "lease").await, 0);
    assert_eq!(count(&db.pool, "message where state = 'sending'").await, 0);

    let uncertain = count(&db.pool, "message where state = 'uncertain'").await;
    assert!(uncertain > 0, "no kill came between the two commits");
    finish(dir.path(), Some(&url), &db.pool, ACCOUNTS * PEOPLE, days).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_database_recovers_everything_it_committed() {
    const DAYS: u16 = 6;
    const PEOPLE: usize = 150;

    let dir = folder();
    let private = Private::of(dir.path());
    let server = private.server();
    import(dir.path(), None, 2, PEOPLE);
    write_tree(dir.path(), DAYS);
    let store = Store::open(&server.url(relance::postgres::DATABASE), 1).await.unwrap();
    store.set_clock("2026-11-30T12:00:00Z".parse().unwrap(), Speed(1.0)).await.unwrap();
    store.close().await;
    drop(server);
    for round in 0..rounds(2) {
        let server = private.server();
        let pool = Private::pool(&server);
        let before = ledger(&pool).await;
        let mut daemon = Daemon::start(dir.path(), None, &RUN);
        until(&pool, &daemon, &format!("select count(*) > {before} from sandbox_message")).await;
        tokio::time::sleep(moment(round, Duration::from_millis(30))).await;
        private.signal(Signal::KILL);
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Whoever starts it again gets a server with all that was committed.
        daemon.kill();
        pool.close().await;
        drop(server);
        let server = private.server();
        let store = Store::open(&server.url(relance::postgres::DATABASE), 1).await.unwrap();
        let pool = Private::pool(&server);
        check(&pool).await;
        assert!(ledger(&pool).await > before);
        next_day(&store).await;
        store.close().await;
        pool.close().await;
    }
    let server = private.server();
    let pool = Private::pool(&server);
    finish(dir.path(), None, &pool, 2 * PEOPLE, DAYS).await;
    pool.close().await;
    drop(relancectl(dir.path(), None, &["db", "stop"]).output());
}
