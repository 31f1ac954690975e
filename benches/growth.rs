//! The cost of a message as tables grow: each size sends the same number of messages.
//!
//! `cargo bench --bench growth -- [MESSAGES] [TARGETS]…` (default: 100000 messages with 10000 and with 1000000
//! targets). A size of 10000000 targets is possible but needs much time and disk space. If there are fewer people than
//! messages, each person gets several days of the sequence.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]
#![expect(clippy::print_stdout, reason = "its figures are for reading")]
#![expect(clippy::cast_precision_loss, reason = "rates are approximate by nature")]

#[path = "common/null.rs"]
mod null;
#[path = "common/server.rs"]
mod server;
#[path = "common/usage.rs"]
mod usage;
#[path = "common/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chrono::TimeDelta;
use futures_util::future::join_all;
use relance::channel::{Channels, Open};
use relance::core::dispatch::program::Program;
use relance::core::domain::Timestamp;
use relance::daemon::{BATCH, Dispatcher};
use relance::store::{Speed, Store};
use sqlx::{Connection, PgConnection};

use self::usage::Usage;

const DATABASE: &str = "growth";
const ACCOUNTS: u32 = 100;
/// The number of people per import.
const IMPORT: u32 = 1_000_000;
const SENDERS: usize = 2;

/// The total cost of the messages sent.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    messages: usize,
    micros: f64,
    own_cpu_micros: f64,
    server_cpu_micros: f64,
    wal_bytes: f64,
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let messages = numbers.next().unwrap_or(100_000) as usize;
    let mut sizes: Vec<u32> = numbers.collect();
    if sizes.is_empty() {
        sizes = vec![10_000, 1_000_000];
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!(
            "{messages} messages each time, {ACCOUNTS} accounts, pacing off, fsync=on; in brackets: times the first\n"
        );
        println!(
            "{:>10} {:>18} {:>22} {:>22} {:>16}",
            "targets", "µs a message", "CPU µs, own", "CPU µs, server", "WAL bytes"
        );
        let mut first = None;
        for targets in sizes {
            let cost = bench(targets, messages).await;
            line(targets, cost, *first.get_or_insert(cost));
        }
    });
}

fn line(targets: u32, cost: Cost, first: Cost) {
    let each = |of: fn(Cost) -> f64| {
        let [cost, first] = [cost, first].map(|cost| of(cost) / cost.messages as f64);
        format!("{cost:.1} ({:.2})", cost / first)
    };
    let (took, own) = (each(|cost| cost.micros), each(|cost| cost.own_cpu_micros));
    let (server, wal) = (each(|cost| cost.server_cpu_micros), each(|cost| cost.wal_bytes));
    println!("{targets:>10} {took:>18} {own:>22} {server:>22} {wal:>16}");
}

async fn bench(targets: u32, messages: usize) -> Cost {
    let server = server::start();
    server.drop_database(DATABASE).await.unwrap();
    server.create_database(DATABASE, None).await.unwrap();
    let url = server.url(DATABASE);
    let mut psql = PgConnection::connect(&url).await.unwrap();
    let store = Store::open(&url, 8).await.unwrap();
    let open = null::null(|_| ());
    let (program, mut now) = prepare(&store, targets, messages, &open).await;
    let channels = Arc::new(Channels::open(&BTreeMap::new(), &open));
    let mut cost = Cost::default();
    while cost.messages < messages {
        // In reality many checkpoints separate two days of a person.
        usage::settle(&url).await;
        let (before, cpu, begun) = (Usage::read(&mut psql).await, usage::own_cpu(), Instant::now());
        let sent = send(&store, &program, &channels, now, messages - cost.messages).await;
        assert!(sent > 0, "nobody is due");
        cost.messages += sent;
        cost.micros += begun.elapsed().as_secs_f64() * 1e6;
        cost.own_cpu_micros += (usage::own_cpu() - cpu) * 1e6;
        let used = Usage::read(&mut psql).await.since(before);
        cost.server_cpu_micros += used.cpu * 1e6;
        cost.wal_bytes += used.wal_bytes;
        now += TimeDelta::days(1);
    }
    drop(psql);
    store.close().await;
    server.drop_database(DATABASE).await.unwrap();
    server.close().unwrap();
    cost
}

/// Enrolls `targets` people. Returns the program and the time when their first day is due.
async fn prepare(store: &Store, targets: u32, messages: usize, open: &Open) -> (Arc<Program>, Timestamp) {
    let now: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
    world::import_accounts(store, ACCOUNTS, now).await;
    for first in (0..targets).step_by(IMPORT as usize) {
        world::import_people(store, first..targets.min(first + IMPORT), ACCOUNTS, now).await;
    }
    let days = messages.div_ceil(targets as usize) + 1;
    let program = world::apply(store, &world::tree(days, 0), open, now).await;
    let (people, _) = world::enroll(store, &program, now).await;
    assert_eq!(people, u64::from(targets));
    (program, now + TimeDelta::hours(7))
}

/// Sends the messages due at `now`: at most `most`, or up to a few batches more. Returns the number sent.
async fn send(store: &Store, program: &Program, channels: &Arc<Channels>, now: Timestamp, most: usize) -> usize {
    let flight = Dispatcher::new(store.clone());
    let sent = AtomicUsize::new(0);
    let mut before = None;
    // A claim skips lanes that another claim holds. Nothing is due only if a round that began with nothing in flight
    // sends nothing.
    while before != Some(sent.load(Ordering::Relaxed)) && sent.load(Ordering::Relaxed) < most {
        before = Some(sent.load(Ordering::Relaxed));
        let claims = || async {
            while sent.load(Ordering::Relaxed) < most {
                let batch = flight.send(program, channels, BATCH, (now, Speed(0.0))).await.unwrap();
                if batch.lanes == 0 {
                    break;
                }
                sent.fetch_add(batch.messages, Ordering::Relaxed);
            }
        };
        join_all((0..SENDERS).map(|_| claims())).await;
        flight.drain().await;
    }
    sent.into_inner()
}
