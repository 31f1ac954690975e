//! The whole way to WhatsApp and back against a stand-in that keeps its own ledger, while the daemon and its Postgres are
//! killed and connections are cut in the middle of calls: nothing is accepted twice, nobody is lost, and what nobody knows
//! is told by receipts.
//!
//! Twelve rounds, or as many as are asked for; what happened is printed at the end:
//!
//! ```sh
//! RELANCE_ROUNDS=500 cargo test --test slow storm -- --nocapture
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use relance::channel::fake_graph;
use relance::channel::fake_graph::{Behaviour, FakeGraph, Hook, Order};
use relance::core::domain::Timestamp;
use relance::postgres::{DATABASE, Server};
use relance::store::{Speed, Store};
use rustix::process::Signal;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::crash::{moment, rounds};
use crate::support::daemon::{Daemon, Private, folder, import, put, until, until_logged};
use crate::support::rows::{count, one};

const ACCOUNTS: usize = 5;
const DAYS: i64 = 4;
const NOON: &str = "2026-11-30T12:00:00Z";
/// Every so many rounds it is the server that is killed.
const SERVER: u64 = 6;

struct Storm {
    dir: TempDir,
    private: Private,
    address: SocketAddr,
    fake_graph: FakeGraph,
    /// Of whose fate nobody knew when a daemon was dead.
    unknown: BTreeSet<String>,
}

/// What one finds of the messages when nobody runs.
const FATES: &str =
    "select concat_ws('.', 'relance', (select id from installation), account_id, campaign_id, referral_id, day) as key, state
     from message";

fn tree(fake_graph: &str) -> String {
    let mut tree = format!(
        "apiVersion: relance/v1
kind: Defaults
metadata: {{name: defaults}}
spec: {{pacing: {{every: 0s, jitter: 0s}}, limits: {{messagesPerDay: 100000}}, channelRef: wa}}
---
apiVersion: relance/v1
kind: Channel
metadata: {{name: wa}}
spec:
  type: whatsapp-cloud
  phoneNumberId: '106540352242922'
  accessToken: {{fromFile: token}}
  appSecret: {{fromFile: app-secret}}
  verifyToken: {{fromFile: token}}
  baseUrl: {fake_graph}
  timeout: 5s
  concurrency: 24
---
apiVersion: relance/v1
kind: Campaign
metadata: {{name: c}}
spec: {{type: filtered, sequenceRef: days, schedule: {{firstAfter: 0s, windows: [{{from: '00:00', to: '24:00'}}]}}}}
---
apiVersion: relance/v1
kind: Sequence
metadata: {{name: days}}
spec:
  fallbackLanguage: fr
  days:
"
    );
    for day in 1..=DAYS {
        let text = format!("{{fr: 'Jour {day}. {{{{ optOutHint }}}}'}}");
        writeln!(tree, "    - {{day: {day}, text: {text}, whatsappTemplate: {{name: day_{day}, language: fr}}}}")
            .unwrap();
    }
    tree
}

impl Storm {
    async fn begin(people: usize) -> Self {
        let dir = folder();
        for (secret, text) in [("token", "EAAstorm"), ("app-secret", "s3cret")] {
            fs::write(dir.path().join(secret), text).unwrap();
        }
        let private = Private::of(dir.path());
        let server = private.server();
        import(dir.path(), None, ACCOUNTS, people);
        let store = Store::open(&server.url(DATABASE), 1).await.unwrap();
        store.set_clock(NOON.parse().unwrap(), Speed(1.0)).await.unwrap();
        store.close().await;
        drop(server);
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let address = TcpListener::bind(local(0)).unwrap().local_addr().unwrap();
        let behaviour = Behaviour {
            seed: 7,
            token: Some("EAAstorm".to_owned()),
            latency_ms: [1, 40],
            cut_before: 0.02,
            cut_after: 0.02,
            ..Behaviour::default()
        };
        let clock = fake_graph::Clock::new(NOON.parse().unwrap(), 1.0);
        let fake_graph = FakeGraph::start(local(0), clock, behaviour).await.unwrap();
        let url = format!("http://{address}/webhooks/wa");
        let hook = Hook { read: 0.3, delay_ms: [0, 400], doubled: 0.3, shuffled: true, ..Hook::new(url, "s3cret") };
        fake_graph.order(Order::Tell(hook));
        put(dir.path(), &tree(&fake_graph.url()));
        Self { dir, private, address, fake_graph, unknown: BTreeSet::new() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn daemon(&self, more: &[&str]) -> Daemon {
        let listen = self.address.to_string();
        Daemon::start(self.path(), None, &[&["run", "--listen", &listen][..], more].concat())
    }

    /// Starts a daemon and kills it, or the server beneath it, in the middle of its work.
    async fn round(&mut self, round: u64) {
        let server = self.private.server();
        let before = self.fake_graph.ledger().len();
        let mut daemon = self.daemon(&[]);
        let pool = Private::pool(&server);
        // A day that is over has nothing left to begin with.
        let idle = "select not exists (select from target where state = 'active' and due_at <= (select shown from clock) + interval '1 h')
                    and exists (select from message) and not exists (select from lease where until > (select shown from clock))";
        while self.fake_graph.ledger().len() == before {
            if one_or(&pool, idle).await {
                break;
            }
            assert!(!daemon.has_ended(), "{}", daemon.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(moment(round, Duration::from_millis(250))).await;
        if round % SERVER == SERVER - 1 {
            self.private.signal(Signal::KILL);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        daemon.kill();
        pool.close().await;
        drop(server);
        self.look().await;
    }

    /// Notes what is unknown while nobody runs. When a day's work is done, the next begins.
    async fn look(&mut self) {
        let server = self.private.server();
        let pool = Private::pool(&server);
        let unknown = fates(&pool).await.into_iter().filter(|(_, state)| state == "sending" || state == "uncertain");
        self.unknown.extend(unknown.map(|(key, _)| key));
        let waiting = "select exists (select from target where state = 'active' and due_at <= (select shown from clock) + interval '1 h')
                       or not exists (select from message)";
        if !one::<bool>(&pool, waiting).await {
            self.next_day(&server).await;
        }
        pool.close().await;
    }

    async fn next_day(&self, server: &Server) {
        let store = Store::open(&server.url(DATABASE), 1).await.unwrap();
        let (now, _) = store.now().await.unwrap();
        let noon: Timestamp = (now.date_naive() + TimeDelta::days(1)).and_hms_opt(12, 0, 0).unwrap().and_utc();
        store.set_clock(noon, Speed(1.0)).await.unwrap();
        self.fake_graph.set_clock(fake_graph::Clock::new(noon, 1.0));
        store.close().await;
    }

    /// Lets everybody get through in peace and every receipt arrive.
    async fn calm(&self, server: &Server) {
        let pool = Private::pool(server);
        self.fake_graph.order(Order::Behave(Behaviour { token: Some("EAAstorm".to_owned()), ..Behaviour::default() }));
        while !one::<bool>(&pool, "select bool_and(phase = 'completed') from run").await {
            // The leases of whoever was killed are over then.
            self.next_day(server).await;
            let daemon = self.daemon(&[]);
            until_logged(&daemon, "listening");
            let done = "select not exists (select from target where state = 'active' and (due_at is null or
                          due_at <= (select shown from clock) + interval '1 h')) and not exists (select from lease)
                          and not exists (select from run where check_at <= (select shown from clock))";
            until(&pool, &daemon, done).await;
            assert_eq!(daemon.stop().0.code(), Some(0));
        }
        let daemon = self.daemon(&[]);
        until_logged(&daemon, "listening");
        self.fake_graph.drained().await;
        until(&pool, &daemon, "select not exists (select from webhook where processed_at is null)").await;
        assert_eq!(daemon.stop().0.code(), Some(0));
        pool.close().await;
    }
}

async fn fates(pool: &PgPool) -> BTreeMap<String, String> {
    let rows: Vec<(String, String)> = sqlx::query_as(FATES).fetch_all(pool).await.unwrap();
    rows.into_iter().collect()
}

/// The answer, or no when the server is away or has no tables yet.
async fn one_or(pool: &PgPool, query: &'static str) -> bool {
    matches!(sqlx::query_scalar(query).fetch_one(pool).await, Ok(true))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "what a long run came to")]
async fn kills_and_connection_cuts_never_cause_a_double_acceptance() {
    let rounds = rounds(12);
    let people = 40 + usize::try_from(rounds).unwrap() * 6;
    let mut storm = Storm::begin(people).await;
    for round in 0..rounds {
        storm.round(round).await;
    }
    let server = storm.private.server();
    storm.calm(&server).await;

    let pool = Private::pool(&server);
    let mut accepted: BTreeMap<String, u32> = BTreeMap::new();
    for message in storm.fake_graph.ledger() {
        *accepted.entry(message.key).or_default() += 1;
    }
    let twice: Vec<_> = accepted.iter().filter(|(_, times)| **times > 1).collect();
    assert_eq!(twice, [], "accepted twice");
    let fates = fates(&pool).await;
    let everybody = ACCOUNTS * people * usize::try_from(DAYS).unwrap();
    assert_eq!(fates.len(), everybody, "somebody is lost");
    assert_eq!(count(&pool, "target where state <> 'completed'").await, 0);
    let strange = fates.iter().filter(|(key, state)| match state.as_str() {
        "sent" | "delivered" | "read" => !accepted.contains_key(*key),
        // Whatever was accepted was told of.
        "uncertain" => accepted.contains_key(*key),
        _ => true,
    });
    assert_eq!(strange.collect::<Vec<_>>(), [], "what is known is not what happened");
    let left = storm.unknown.iter().filter(|key| fates[*key] == "uncertain").count();
    let (unknown, lost) = (storm.unknown.len(), fates.values().filter(|state| *state == "uncertain").count());
    println!(
        "{rounds} rounds: {} accepted of {everybody}, none twice; {unknown} of unknown fate when nobody ran, {} of them \
         told by receipts; {lost} uncertain in the end, none of them accepted",
        accepted.len(),
        unknown - left,
    );
    assert!(unknown > left, "no receipt had anything to tell");
    pool.close().await;
}
