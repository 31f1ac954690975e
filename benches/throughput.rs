//! Rates of the three big jobs on a real Postgres with `fsync=on`: import, enrollment, sending.
//!
//! `cargo bench --bench throughput -- [REFERRALS] [ACCOUNTS]` (200000 and 100). Each line shows the rate, and where
//! there is something to compare with, that something run in the same database just before, and the ratio.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]
#![expect(clippy::print_stdout, reason = "its figures are for reading")]
#![expect(clippy::cast_precision_loss, reason = "rates are approximate by nature")]

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use relance::channel::{Channel, Channels, Open, Outcome, Sandbox};
use relance::config::Config;
use relance::domain::Timestamp;
use relance::facts::Source;
use relance::manifest::{self, SourceFile, Sources};
use relance::program::Program;
use relance::runner::{self, BATCH, Flight, Loaded};
use relance::store::embedded::{Durability, Options, Search, Server};
use relance::store::{Age, Claimed, Origin, Speed, Store};
use relance::{import, plan};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

const SENDERS: usize = 2;

const TREE: &str = "apiVersion: relance/v1
kind: Defaults
metadata: {name: defaults}
spec: {pacing: {every: 0s, jitter: 0s}}
---
apiVersion: relance/v1
kind: Sequence
metadata: {name: week}
spec:
  fallbackLanguage: fr
  days:
    - {day: 1, text: {fr: 'Bonjour {{ name }}, ici {{ referrerName }}. Voici le message {{ day }} sur {{ daysTotal }}, à propos de votre inscription. {{ optOutHint }}'}}
    - {day: 2, text: {fr: 'Bonjour {{ name }}, ici {{ referrerName }}. Voici le message {{ day }} sur {{ daysTotal }}, la suite de celui qui précède.'}}
---
apiVersion: relance/v1
kind: Campaign
metadata: {name: week}
spec: {type: filtered, state: active, accounts: all, sequenceRef: week, filter: {countries: [CM]}}
";

/// Takes everything and keeps nothing.
#[derive(Debug)]
struct Null;

#[async_trait]
impl Channel for Null {
    fn calls_out(&self) -> bool {
        false
    }

    async fn hand_over(&self, messages: &[Claimed], _: Timestamp) -> Vec<Outcome> {
        vec![Outcome::Accepted { provider_id: "null".to_owned() }; messages.len()]
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let referrals = numbers.next().unwrap_or(200_000);
    let accounts = numbers.next().unwrap_or(100);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(bench(referrals, accounts));
}

async fn bench(referrals: u32, accounts: u32) {
    let server = server();
    let now: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
    server.drop_database("bench").await.unwrap();
    server.create_database("bench", None).await.unwrap();
    let store = Store::open(&server.url("bench"), 8).await.unwrap();
    let mut psql = PgConnection::connect(&server.url("bench")).await.unwrap();
    println!("{referrals} referrals of {accounts} accounts, 2 cores, fsync=on\n");
    println!("{:<34} {:>12} {:>12} {:>7}", "", "ours /s", "beside /s", "ratio");

    import_facts(&store, referrals, accounts, now).await;
    psql.execute("vacuum analyze").await.unwrap();
    let (program, null, sandbox) = campaign(&store, now).await;
    let people = enroll(&store, &program, &mut psql, now).await;

    // Everybody's day 1, then everybody's day 2.
    let start = now + chrono::TimeDelta::hours(7);
    let took = send(&store, &program, &null, start).await;
    line("send, null channel", people as f64 / took.as_secs_f64(), None);
    let took = send(&store, &program, &sandbox, start + chrono::TimeDelta::hours(24)).await;
    line("send, sandbox channel", people as f64 / took.as_secs_f64(), None);
    let left: i64 =
        sqlx::query_scalar("select count(*) from target where state = 'active'").fetch_one(&mut psql).await.unwrap();
    assert_eq!(left, 0, "somebody did not get both days");

    drop(psql);
    store.close().await;
    server.close().unwrap();
}

fn line(what: &str, rate: f64, beside: Option<f64>) {
    match beside {
        Some(beside) => println!("{what:<34} {rate:>12.0} {beside:>12.0} {:>7.2}", rate / beside),
        None => println!("{what:<34} {rate:>12.0}"),
    }
}

fn server() -> Server {
    let config = Config::read();
    let options = Options {
        dir: Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-postgres"),
        keeper_program: env!("CARGO_BIN_EXE_relancectl").into(),
        search: Search { bin: config.postgres_bin, path: config.path },
        grace: Duration::from_secs(2),
        durability: Durability::Full,
    };
    Server::start(&options).unwrap().0
}

async fn import_facts(store: &Store, referrals: u32, accounts: u32, now: Timestamp) {
    let mut csv = "id,name,language,country,timezone\n".to_owned();
    for n in 0..accounts {
        writeln!(csv, "acc-{n},Aminata Ngo {n},fr,CM,Africa/Douala").unwrap();
    }
    let age = Age { as_of: now, now };
    import::accounts(store, Source::stream("accounts", Cursor::new(csv)), age).await.unwrap();
    let mut csv =
        "id,account_id,name,phone,language,country,profession,birth_date,registered_at,consent,city\n".to_owned();
    for n in 0..referrals {
        let (account, minute) = (n % accounts, n % 50_000);
        let at = now - chrono::TimeDelta::minutes(i64::from(minute) + 120);
        writeln!(
            csv,
            "ref-{n:08},acc-{account},Jean-Paul Mballa {n},+23767{n:07},fr,CM,Étudiant,1999-05-14,{},opted_in,Douala",
            at.format("%Y-%m-%dT%H:%M:%SZ")
        )
        .unwrap();
    }
    let begun = Instant::now();
    let report = import::referrals(store, Source::stream("referrals", Cursor::new(csv)), age).await.unwrap();
    let took = begun.elapsed();
    assert_eq!(report.inserted, u64::from(referrals), "{:?}", report.rejected.first());
    line("import, rows", f64::from(referrals) / took.as_secs_f64(), None);
}

async fn campaign(store: &Store, now: Timestamp) -> (Arc<Program>, Arc<Channels>, Arc<Channels>) {
    let files = vec![SourceFile { path: "tree.yaml".to_owned(), bytes: TREE.as_bytes().to_vec() }];
    let checked = manifest::check(&Sources { files });
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    let in_force = store.in_force().await.unwrap();
    let plan = plan::plan(&checked.desired.to_objects(), &in_force.objects, &std::collections::BTreeMap::new());
    store.apply(&plan, &checked.desired, in_force.generation, &Origin::default(), now).await.unwrap();
    let open = |channel: Arc<dyn Channel>| -> Open { Arc::new(move |_| Arc::clone(&channel)) };
    let null = open(Arc::new(Null));
    let sandbox = open(Arc::new(Sandbox::new(store.clone(), Duration::ZERO)));
    let (program, _) = Loaded::new(Arc::clone(&null)).in_force(store).await.unwrap();
    let none = std::collections::BTreeMap::new();
    (program, Arc::new(Channels::open(&none, &null)), Arc::new(Channels::open(&none, &sandbox)))
}

/// Enrolls everybody, beside the plain statement into a table like ours.
async fn enroll(store: &Store, program: &Program, psql: &mut PgConnection, now: Timestamp) -> u64 {
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
        due = now + chrono::TimeDelta::hours(6),
    );
    let begun = Instant::now();
    let rows = psql.execute(AssertSqlSafe(bare)).await.unwrap().rows_affected();
    let beside = rows as f64 / begun.elapsed().as_secs_f64();
    psql.execute("drop table bare").await.unwrap();

    store.ensure_runs(program, now).await.unwrap();
    store.advance_runs(program, now).await.unwrap();
    let begun = Instant::now();
    let people = runner::enroll(store, program, now).await.unwrap();
    line("enroll, people (beside: plain SQL)", people as f64 / begun.elapsed().as_secs_f64(), Some(beside));
    assert_eq!(people, rows);
    psql.execute("vacuum analyze target").await.unwrap();
    people
}

/// Sends whatever is due at `now`, as the daemon does: several claims at a time.
async fn send(store: &Store, program: &Arc<Program>, channels: &Arc<Channels>, now: Timestamp) -> Duration {
    let begun = Instant::now();
    let flight = Flight::new(store.clone());
    // Lanes whose outcomes are just being saved are passed over: nothing is due when nothing is on its way either.
    while flight.send(program, channels, BATCH, (now, Speed(0.0))).await.unwrap().lanes > 0 {
        let claims =
            || async { while flight.send(program, channels, BATCH, (now, Speed(0.0))).await.unwrap().lanes > 0 {} };
        futures_util::future::join_all((0..SENDERS).map(|_| claims())).await;
        flight.land().await;
    }
    begun.elapsed()
}
