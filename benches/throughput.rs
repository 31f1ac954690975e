//! The rates of import and enrollment, the two large jobs before sending, on a real Postgres with `fsync=on`.
//!
//! `cargo bench --bench throughput -- [REFERRALS] [ACCOUNTS]` (default: 200000 and 100). The baseline of enrollment is
//! one plain statement into a table like the program's, run in the same database just before. The benchmark prints both
//! rates and their ratio.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]
#![expect(clippy::print_stdout, reason = "its figures are for reading")]
#![expect(clippy::cast_precision_loss, reason = "rates are approximate by nature")]

#[path = "common/null.rs"]
mod null;
#[path = "common/server.rs"]
mod server;
#[path = "common/world.rs"]
mod world;

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use relance::core::domain::Timestamp;
use relance::store::Store;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let referrals = numbers.next().unwrap_or(200_000);
    let accounts = numbers.next().unwrap_or(100);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(bench(referrals, accounts));
}

async fn bench(referrals: u32, accounts: u32) {
    let server = server::start();
    let now: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
    server.drop_database("bench").await.unwrap();
    server.create_database("bench", None).await.unwrap();
    let store = Store::open(&server.url("bench"), 8).await.unwrap();
    let mut psql = PgConnection::connect(&server.url("bench")).await.unwrap();
    println!("{referrals} referrals of {accounts} accounts, fsync=on\n");
    println!("{:<34} {:>12} {:>12} {:>7}", "", "ours /s", "beside /s", "ratio");

    world::import_accounts(&store, accounts, now).await;
    let took = world::import_people(&store, 0..referrals, accounts, now).await;
    line("import, rows", rate(u64::from(referrals), took), None);

    psql.execute("vacuum analyze").await.unwrap();
    let program = world::apply(&store, &world::tree(2, 0), &null::null(|_| ()), now).await;
    let beside = enroll_bare(&mut psql, now).await;
    let (people, took) = world::enroll(&store, &program, now).await;
    assert_eq!(people, u64::from(referrals));
    line("enroll, people (beside: plain SQL)", rate(people, took), Some(beside));

    drop(psql);
    store.close().await;
    server.close().unwrap();
}

fn rate(rows: u64, took: Duration) -> f64 {
    rows as f64 / took.as_secs_f64()
}

fn line(what: &str, rate: f64, beside: Option<f64>) {
    match beside {
        Some(beside) => println!("{what:<34} {rate:>12.0} {beside:>12.0} {:>7.2}", rate / beside),
        None => println!("{what:<34} {rate:>12.0}"),
    }
}

/// Enrolls everybody by one plain statement into a table like the program's. Returns people per second.
async fn enroll_bare(psql: &mut PgConnection, now: Timestamp) -> f64 {
    psql.execute("create table bare (like target including all)").await.unwrap();
    let campaign: i32 = sqlx::query_scalar("select id from campaign").fetch_one(&mut *psql).await.unwrap();
    let bare = format!(
        "insert into bare (account_id, campaign_id, referral_id, state, day, due_at, enrolled_at, revision_id)
         select r.account_id, {campaign}, r.id, 'active', 1, timestamptz '{due}', timestamptz '{now}', 1
         from referral r
         where r.is_current and r.country = 'CM' and r.consent = 'opted_in' and r.paid_at is null
           and not exists (select from suppression s where s.phone = r.phone)
           and not exists (select from bare t where (t.account_id, t.campaign_id, t.referral_id) = (r.account_id, {campaign}, r.id))
         order by r.account_id, r.id",
        due = now + TimeDelta::hours(6),
    );
    let begun = Instant::now();
    let rows = psql.execute(AssertSqlSafe(bare)).await.unwrap().rows_affected();
    let took = begun.elapsed();
    psql.execute("drop table bare").await.unwrap();
    rate(rows, took)
}
