//! The lateness of messages that are due at instants of their own: the time from when the lane admits a message to its
//! hand-over.
//!
//! `cargo bench --bench lateness -- [RATE] [SECONDS] [LANES]…` (default: 1000 messages a second over all lanes, 60 s
//! per size, 1000, 10000 and 100000 lanes). A daemon runs its real loops in real time. Every lane has people waiting
//! and a pace, such that all lanes together reach RATE, evenly spread.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]
#![expect(clippy::print_stdout, reason = "its figures are for reading")]
#![expect(clippy::cast_precision_loss, reason = "rates are approximate by nature")]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/server.rs"]
mod server;
#[path = "common/world.rs"]
mod world;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;
use relance::channel::{Channel, Open, Outcome};
use relance::core::dispatch::OutgoingMessage;
use relance::core::domain::Timestamp;
use relance::daemon::Roles;
use relance::store::{Speed, Store};
use sqlx::{Connection, Executor, PgConnection};
use tokio_util::sync::CancellationToken;

const DATABASE: &str = "lateness";
/// The time from the start of the daemon to the first due message.
const AHEAD: TimeDelta = TimeDelta::seconds(5);

/// An account and a referral.
type Person = (i32, i64);

/// A channel that accepts every message, lane by lane as a provider does, and records the instant.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<(Person, Instant)>>);

#[async_trait]
impl Channel for Recorder {
    async fn hand_over(&self, messages: &[OutgoingMessage], _: Timestamp) -> Vec<Outcome> {
        let now = Instant::now();
        let people = messages.iter().map(|message| message.key.target);
        self.0.lock().unwrap().extend(people.map(|target| ((target.account.0, target.referral.0), now)));
        vec![Outcome::accepted("null".to_owned()); messages.len()]
    }
}

/// The measurements of one size.
struct Played {
    /// Seconds from due to hand-over, in ascending order.
    handed: Vec<f64>,
    /// Seconds from due to claim, in ascending order.
    claimed: Vec<f64>,
    /// Lanes whose due message had waited for more than a second at the end.
    behind: i64,
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let rate = numbers.next().unwrap_or(1_000);
    let seconds = numbers.next().unwrap_or(60);
    let mut sizes: Vec<u32> = numbers.collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!(
        "due {rate} a second for {seconds} s, one daemon, fsync=on; milliseconds from due to handed over (claimed)\n"
    );
    println!(
        "{:>8} {:>8} {:>8} {:>18} {:>18} {:>18} {:>7}",
        "lanes", "every", "sent /s", "p50", "p99", "max", "behind"
    );
    for lanes in sizes {
        let every = lanes.div_ceil(rate);
        let played = runtime.block_on(bench(lanes, every, seconds));
        line(lanes, every, seconds, &played);
    }
}

fn line(lanes: u32, every: u32, seconds: u32, Played { handed, claimed, behind }: &Played) {
    let rate = handed.len() as f64 / f64::from(seconds);
    let [p50, p99, max] = [0.5, 0.99, 1.0]
        .map(|part| format!("{:.1} ({:.1})", quantile(handed, part) * 1e3, quantile(claimed, part) * 1e3));
    println!("{lanes:>8} {:>8} {rate:>8.0} {p50:>18} {p99:>18} {max:>18} {behind:>7}", format!("{every} s"));
}

/// Returns the quantile at `part` of `values`, which are in ascending order.
fn quantile(values: &[f64], part: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is an index")]
    let at = (values.len() as f64 * part).ceil() as usize;
    values.get(at.max(1) - 1).copied().unwrap_or(f64::NAN)
}

async fn bench(lanes: u32, every: u32, seconds: u32) -> Played {
    let server = server::start();
    server.drop_database(DATABASE).await.unwrap();
    server.create_database(DATABASE, None).await.unwrap();
    let mut psql = PgConnection::connect(&server.url(DATABASE)).await.unwrap();
    let store = Store::open(&server.url(DATABASE), 8).await.unwrap();
    let recorder = Arc::new(Recorder::default());
    let channel: Arc<dyn Channel> = Arc::<Recorder>::clone(&recorder);
    let open: Open = Arc::new(move |_| Arc::clone(&channel));

    let begin = prepare(&store, &mut psql, lanes, every, seconds, &open).await;
    store.set_clock(begin, Speed(1.0)).await.unwrap();
    let (read, (shown, _)) = (Instant::now(), store.now().await.unwrap());
    let stop = CancellationToken::new();
    let roles = Roles { reconcile: false, enroll: true, send: true, serve: false };
    let daemon = daemon::daemon(&store, open, roles);
    let (running, stopped) = (daemon.clone(), stop.clone());
    let running = tokio::spawn(async move { running.run(&stopped).await });
    tokio::time::sleep(AHEAD.to_std().unwrap() + Duration::from_secs(seconds.into())).await;
    let (now, _) = store.now().await.unwrap();
    let overdue = "select count(*) from lane where wake_at < $1 - interval '1 second'";
    let behind = sqlx::query_scalar(overdue).bind(now).fetch_one(&mut psql).await.unwrap();
    stop.cancel();
    running.await.unwrap();

    let due = due(&mut psql, every).await;
    let handed = std::mem::take(&mut *recorder.0.lock().unwrap());
    let clock = |at: Instant| shown + TimeDelta::from_std(at.saturating_duration_since(read)).unwrap();
    let handed = handed.into_iter().map(|(person, at)| clock(at) - due[&person].0).collect();
    let claimed = due.values().map(|(due, claimed)| *claimed - *due).collect();
    drop(psql);
    store.close().await;
    server.close().unwrap();
    Played { handed: in_order(handed), claimed: in_order(claimed), behind }
}

/// Enrolls enough people in every lane. The lanes' first messages are spread evenly over `every` seconds. Returns the
/// time at which the daemon is to begin.
async fn prepare(
    store: &Store,
    psql: &mut PgConnection,
    lanes: u32,
    every: u32,
    seconds: u32,
    open: &Open,
) -> Timestamp {
    let now: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
    world::import_accounts(store, lanes, now).await;
    world::import_people(store, 0..lanes * (seconds / every + 2), lanes, now).await;
    let program = world::apply(store, &world::tree(2, every.into()), open, now).await;
    world::enroll(store, &program, now).await;
    let begin = now + TimeDelta::hours(7);
    let spread = "with first as (
           select account_id, $1 + make_interval(secs => $2::float8 * row_number() over (order by account_id) / $3) as due_at
           from lane),
         lanes as (update lane l set wake_at = f.due_at from first f where f.account_id = l.account_id)
         update target t set due_at = f.due_at from first f where f.account_id = t.account_id";
    sqlx::query(spread)
        .bind(begin + AHEAD)
        .bind(f64::from(every))
        .bind(f64::from(lanes))
        .execute(&mut *psql)
        .await
        .unwrap();
    psql.execute("vacuum analyze").await.unwrap();
    psql.execute("checkpoint").await.unwrap();
    begin
}

/// Returns the times when each message was due and was claimed. A message is due at its own instant, but not before the
/// pace since its lane's previous message admits it.
async fn due(psql: &mut PgConnection, every: u32) -> HashMap<Person, (Timestamp, Timestamp)> {
    let rows: Vec<(i32, i64, Timestamp, Timestamp)> = sqlx::query_as(
        "select account_id, referral_id,
                greatest(due_at, lag(queued_at) over (partition by account_id order by queued_at)
                                 + make_interval(secs => $1::float8)),
                queued_at from message",
    )
    .bind(f64::from(every))
    .fetch_all(psql)
    .await
    .unwrap();
    rows.into_iter().map(|(account, referral, due, claimed)| ((account, referral), (due, claimed))).collect()
}

/// Returns the delays in seconds, in ascending order. Panics if a message left early.
fn in_order(late: Vec<TimeDelta>) -> Vec<f64> {
    let mut late: Vec<f64> = late.into_iter().map(TimeDelta::as_seconds_f64).collect();
    late.sort_by(f64::total_cmp);
    assert!(late.first().is_none_or(|least| *least >= 0.0), "a message left before it was due: {:?}", late.first());
    late
}
