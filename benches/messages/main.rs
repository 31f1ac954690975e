//! The rate and the cost of messages through the whole cycle. A message is claimed and its attempt is committed. A
//! channel that accepts everything takes it. Then its outcome is committed and the next day is scheduled.
//!
//! `cargo bench --bench messages -- [MESSAGES] [ACCOUNTS] [ROUNDS]` (default: 200000, 100 and 3). Every round runs one
//! daemon process, then two, each followed by the bare statements in the same database. The figures are medians.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]
#![expect(clippy::print_stdout, reason = "its figures are for reading")]
#![expect(clippy::cast_precision_loss, reason = "rates are approximate by nature")]

mod bare;
mod counting;
#[path = "../common/daemon.rs"]
mod daemon;
#[path = "../common/null.rs"]
mod null;
mod sender;
#[path = "../common/server.rs"]
mod server;
#[path = "../common/usage.rs"]
mod usage;
#[path = "../common/world.rs"]
mod world;

use chrono::TimeDelta;
use relance::core::domain::Timestamp;
use relance::store::{Speed, Store};
use sqlx::PgConnection;

use self::sender::{SENDER, Senders, Sent};
use self::usage::Usage;

const DATABASE: &str = "messages";

/// The measurement of one way to send everybody's message of one day.
#[derive(Debug, Clone, Copy)]
struct Leg {
    sent: Sent,
    used: Usage,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, url, ..] = &arguments[..]
        && first == SENDER
    {
        return runtime.block_on(sender::run(url));
    }
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u32>().ok());
    let people = numbers.next().unwrap_or(200_000);
    let accounts = numbers.next().unwrap_or(100);
    let rounds = numbers.next().unwrap_or(3);
    runtime.block_on(bench(people, accounts, rounds));
}

async fn bench(people: u32, accounts: u32, rounds: u32) {
    let (server, mut psql) = counting::start(DATABASE).await;
    let url = server.url(DATABASE);
    let start = prepare(&url, people, accounts, 2 * rounds).await;
    bare::prepare(&mut psql, u64::from(people), accounts, start).await;
    println!("{people} messages each time, {accounts} accounts, pacing off, fsync=on; the median of {rounds}\n");
    counting::begin(&mut psql).await;

    let mut pairs = [vec![], vec![]];
    for day in 0..2 * rounds {
        let now = start + TimeDelta::days(i64::from(day));
        let processes = 1 + day as usize % 2;
        let ours = send(&mut psql, &url, processes, u64::from(people), now).await;
        let bare = send_bare(&mut psql, &url, u64::from(people), now).await;
        pairs[processes - 1].push((ours, bare));
    }
    print(&pairs);
    counting::print_slowest(&mut psql, f64::from(people) * f64::from(2 * rounds)).await;

    check(&mut psql, i64::from(people), i64::from(2 * rounds)).await;
    drop(psql);
    server.close().unwrap();
}

/// Enrolls everybody in a sequence of `days` + 1 days, so that a next day always exists. Returns the time when the
/// first is due.
async fn prepare(url: &str, people: u32, accounts: u32, days: u32) -> Timestamp {
    let now: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
    let store = Store::open(url, 4).await.unwrap();
    world::import_accounts(&store, accounts, now).await;
    world::import_people(&store, 0..people, accounts, now).await;
    let program = world::apply(&store, &world::tree(days as usize + 1, 0), &null::null(|_| ()), now).await;
    let (enrolled, _) = world::enroll(&store, &program, now).await;
    assert_eq!(enrolled, u64::from(people));
    store.close().await;
    now + TimeDelta::hours(7)
}

async fn send(psql: &mut PgConnection, url: &str, processes: usize, people: u64, now: Timestamp) -> Leg {
    let store = Store::open(url, 1).await.unwrap();
    // The clock stands still: everybody is due, and nobody a second time.
    store.set_clock(now, Speed(0.0)).await.unwrap();
    store.close().await;
    usage::settle(url).await;
    counting::alone(psql).await;
    let before = Usage::read(psql).await;
    let sent = Senders::start(url, processes).send(people);
    assert_eq!(sent.messages, people);
    counting::alone(psql).await;
    Leg { sent, used: Usage::read(psql).await.since(before) }
}

async fn send_bare(psql: &mut PgConnection, url: &str, people: u64, now: Timestamp) -> Leg {
    usage::settle(url).await;
    counting::alone(psql).await;
    let before = Usage::read(psql).await;
    let sent = bare::send(url, people, now).await;
    assert_eq!(sent.messages, people);
    counting::alone(psql).await;
    Leg { sent, used: Usage::read(psql).await.since(before) }
}

/// Asserts that both sides did all the work: attempts with outcomes, and everybody's next day.
async fn check(psql: &mut PgConnection, people: i64, days: i64) {
    let done: (i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from message where state = 'sent'),
                (select count(*) from target where state = 'active' and day = $1 + 1 and due_at is not null),
                (select count(*) from bare.attempt where state = 'sent'),
                (select count(*) from bare.schedule where day = $1 + 1)",
    )
    .bind(days)
    .fetch_one(psql)
    .await
    .unwrap();
    assert_eq!(done, (people * days, people, people * days, people));
}

impl Leg {
    fn rate(&self) -> f64 {
        self.sent.messages as f64 / self.sent.took.as_secs_f64()
    }

    /// Returns the CPU seconds per million messages, of the sending processes and of Postgres.
    fn cpu(&self) -> [f64; 2] {
        [self.sent.cpu, self.used.cpu].map(|seconds| seconds * 1e6 / self.sent.messages as f64)
    }

    /// Returns the statements, commits and WAL kilobytes per thousand messages.
    fn per_thousand(&self) -> [f64; 3] {
        let Usage { statements, commits, wal_bytes, .. } = self.used;
        [statements, commits, wal_bytes / 1e3].map(|used| used * 1e3 / self.sent.messages as f64)
    }
}

/// Returns the median; of an even number of values, the upper one.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints the figures. Each pair holds the program's leg and the bare statements that ran right after it.
fn print([one, two]: &[Vec<(Leg, Leg)>; 2]) {
    println!("{:<18} {:^18} | {:^27} | {:^31}", "", "messages", "CPU s a million", "a thousand messages");
    println!(
        "{:<18} {:>10} {:>7} | {:>8} {:>8} {:>9} | {:>10} {:>10} {:>9}",
        "", "/s", "of bare", "own", "server", "× bare", "statements", "commits", "WAL kB"
    );
    let bare: Vec<(Leg, Leg)> = one.iter().chain(two).map(|(_, bare)| (*bare, *bare)).collect();
    let total = |pairs: &[(Leg, Leg)]| median(pairs.iter().map(|(leg, _)| leg.cpu().iter().sum()));
    for (what, pairs) in [("one process", one), ("two processes", two), ("bare statements", &bare)] {
        let each = |of: fn(&Leg) -> f64| median(pairs.iter().map(|(leg, _)| of(leg)));
        println!(
            "{what:<18} {:>10.0} {:>7.2} | {:>8.1} {:>8.1} {:>9.2} | {:>10.1} {:>10.1} {:>9.0}",
            each(Leg::rate),
            median(pairs.iter().map(|(leg, bare)| leg.rate() / bare.rate())),
            each(|leg| leg.cpu()[0]),
            each(|leg| leg.cpu()[1]),
            total(pairs) / total(&bare),
            each(|leg| leg.per_thousand()[0]),
            each(|leg| leg.per_thousand()[1]),
            each(|leg| leg.per_thousand()[2]),
        );
    }
}
