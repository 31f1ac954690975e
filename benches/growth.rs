//! What a message costs when there are more and more people: the same number of messages out of growing tables.
//!
//! `cargo bench --bench growth -- [MESSAGES] [TARGETS]…` (100000, out of 10000 and of 1000000 targets; 10000000 as well take
//! half an hour and 20 GB). Where there are fewer people than messages they get several days of their sequence.
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
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;
use relance::channel::{Channels, Open};
use relance::domain::Timestamp;
use relance::program::Program;
use relance::runner::{BATCH, Flight};
use relance::store::{Speed, Store};

use self::usage::Usage;

const DATABASE: &str = "growth";
const ACCOUNTS: u32 = 100;
/// People of one import.
const IMPORT: u32 = 1_000_000;
const SENDERS: usize = 2;

/// What so many messages took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    messages: usize,
    took: Duration,
    cpu: f64,
    used: Usage,
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
    let each = |cost: Cost| {
        let each = |total: f64| total / cost.messages as f64;
        [cost.took.as_secs_f64() * 1e6, cost.cpu * 1e6, cost.used.cpu * 1e6, cost.used.wal_bytes].map(each)
    };
    let columns = each(cost).into_iter().zip(each(first));
    let [took, own, server, wal] =
        columns.map(|(cost, first)| format!("{cost:.1} ({:.2})", cost / first)).collect::<Vec<_>>().try_into().unwrap();
    println!("{targets:>10} {took:>18} {own:>22} {server:>22} {wal:>16}");
}

async fn bench(targets: u32, messages: usize) -> Cost {
    let (server, mut psql) = usage::counting(server::start(), server::start, DATABASE).await;
    let now: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
    let store = Store::open(&server.url(DATABASE), 8).await.unwrap();
    world::import_accounts(&store, ACCOUNTS, now).await;
    for first in (0..targets).step_by(IMPORT as usize) {
        let last = targets.min(first + IMPORT);
        world::import_people(&store, first..last, ACCOUNTS, now).await;
    }
    let days = messages.div_ceil(targets as usize) + 1;
    let open = null::null(|_| ());
    let program = world::apply(&store, &world::tree(days, 0), &open, now).await;
    let (people, _) = world::enroll(&store, &program, now).await;
    assert_eq!(people, u64::from(targets));
    store.close().await;

    usage::settle(&mut psql).await;
    let before = Usage::read(&mut psql).await;
    let store = Store::open(&server.url(DATABASE), 8).await.unwrap();
    let (begun, cpu) = (Instant::now(), usage::own_cpu());
    let sent = send(&store, &program, &open, now + TimeDelta::hours(7), messages).await;
    let (took, cpu) = (begun.elapsed(), usage::own_cpu() - cpu);
    store.close().await;
    let used = Usage::read(&mut psql).await.since(before);
    drop(psql);
    server.drop_database(DATABASE).await.unwrap();
    server.close().unwrap();
    Cost { messages: sent, took, cpu, used }
}

/// Sends so many messages, or a few of a batch more: whatever is due at `now`, then what is due a day later.
async fn send(store: &Store, program: &Program, open: &Open, mut now: Timestamp, messages: usize) -> usize {
    let channels = Arc::new(Channels::open(&BTreeMap::new(), open));
    let flight = Flight::new(store.clone());
    let sent = AtomicUsize::new(0);
    while sent.load(Ordering::Relaxed) < messages {
        let before = sent.load(Ordering::Relaxed);
        let claims = || async {
            while sent.load(Ordering::Relaxed) < messages {
                let batch = flight.send(program, &channels, BATCH, (now, Speed(0.0))).await.unwrap();
                if batch.lanes == 0 {
                    break;
                }
                sent.fetch_add(batch.messages, Ordering::Relaxed);
            }
        };
        join_all((0..SENDERS).map(|_| claims())).await;
        // Lanes that another claim just held were passed over: only when nothing was on its way either nothing is due.
        flight.land().await;
        if sent.load(Ordering::Relaxed) == before {
            now += TimeDelta::days(1);
        }
    }
    sent.into_inner()
}
