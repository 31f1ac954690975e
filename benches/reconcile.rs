//! The cost of a tree of many campaigns: validation, the first apply, a pass that finds nothing to do, and an edit.
//!
//! `cargo bench --bench reconcile -- [CAMPAIGNS] [ACCOUNTS] [TICKS]` (default: 10000, 100 and 3). Every campaign runs
//! for every account. Some figures have a baseline beside them: the time to read the files, which is the least possible
//! work.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]
#![expect(clippy::print_stdout, reason = "its figures are for reading")]

#[path = "common/server.rs"]
mod server;

use std::fmt::Write as _;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use relance::channel::Open;
use relance::core::domain::{SourceId, Timestamp};
use relance::core::plan::Plan;
use relance::daemon::Sandbox;
use relance::daemon::reconcile::{By, Outcome, compare, reconcile};
use relance::daemon::{Loaded, Pulse, Roles, Supervisor, maintenance};
use relance::facts;
use relance::facts::import;
use relance::source::{Claim, Source};
use relance::store::{Age, Store};
use sqlx::{Connection, PgConnection};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The number of people per account.
const PEOPLE: usize = 20;

/// The number of campaigns that share a sequence and follow one another in a queue.
const SHARED: usize = 100;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let campaigns = numbers.next().unwrap_or(10_000);
    let accounts = numbers.next().unwrap_or(100);
    let ticks = numbers.next().unwrap_or(3);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(bench(campaigns, accounts, ticks));
}

async fn bench(campaigns: usize, accounts: usize, ticks: usize) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-campaigns");
    let files = write_tree(&dir, campaigns);
    let server = server::start();
    server.drop_database("reconcile").await.unwrap();
    server.create_database("reconcile", None).await.unwrap();
    let store = Store::open(&server.url("reconcile"), 8).await.unwrap();
    let mut psql = PgConnection::connect(&server.url("reconcile")).await.unwrap();
    import_facts(&store, campaigns, accounts).await;
    println!("{campaigns} campaigns for each of {accounts} accounts with {PEOPLE} people, 2 cores, fsync=on\n");
    println!("{:<44} {:>10} {:>10}", "", "ours", "beside");

    let beside = timed(|| validate_bare(&dir));
    line("validate (beside: reading the files)", timed(|| validate(&dir)), Some(beside));

    let source = Source::Directories(vec![dir.clone()]);
    let (now, _) = store.now().await.unwrap();
    let begun = Instant::now();
    let pass = reconcile(source.read().await.unwrap(), &store, By::Daemon, now).await.unwrap();
    assert!(matches!(pass.outcome, Outcome::Applied { .. }), "{:?}", pass.errors.first());
    line("apply of all of it to nothing", begun.elapsed(), None);
    let begun = Instant::now();
    let ticks = settle(&store, ticks).await;
    line(&format!("maintenance, {ticks} ticks"), begun.elapsed(), None);
    sqlx::query("vacuum analyze").execute(&mut psql).await.unwrap();

    let before = written(&mut psql).await;
    let begun = Instant::now();
    let pass = reconcile(source.read().await.unwrap(), &store, By::Daemon, now).await.unwrap();
    let took = begun.elapsed();
    assert!(matches!(pass.outcome, Outcome::InSync));
    assert_eq!(written(&mut psql).await, before, "a pass that finds nothing to do writes nothing");
    line("pass that finds nothing to do", took, Some(beside));
    let (plan, took) = planned(&source, &store, now).await;
    assert!(plan.is_empty());
    line("plan that finds nothing to do", took, Some(beside));

    let edited = &files[files.len() / 2];
    let text = fs::read_to_string(edited).unwrap();
    fs::write(edited, text.replace("priority: 100", "priority: 99")).unwrap();
    let (plan, took) = planned(&source, &store, now).await;
    assert_eq!(plan.changes.len(), 1);
    line("plan of an edit, with its effects", took, None);
    fs::write(edited, text).unwrap();
    daemon(&store, source, edited, &mut psql).await;

    drop(psql);
    store.close().await;
    server.close().unwrap();
}

fn line(what: &str, took: Duration, beside: Option<Duration>) {
    let beside = beside.map_or_else(String::new, |beside| format!("{:>8.3} s", beside.as_secs_f64()));
    println!("{what:<44} {:>8.3} s {beside:>10}", took.as_secs_f64());
}

fn timed(job: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    job();
    begun.elapsed()
}

/// Writes one file per campaign, and one folder with a shared sequence and queue per `SHARED` campaigns. Returns the
/// campaign files.
fn write_tree(dir: &Path, campaigns: usize) -> Vec<PathBuf> {
    fs::remove_dir_all(dir).ok();
    let mut files = Vec::new();
    for first in (0..campaigns).step_by(SHARED) {
        let group = dir.join(format!("group-{:05}", first / SHARED));
        fs::create_dir_all(&group).unwrap();
        let last = campaigns.min(first + SHARED);
        let mut shared = format!("{}\n---\n{}", manifest("Sequence", first), manifest("Queue", first));
        write!(shared, "spec:\n  campaigns:\n").unwrap();
        for n in first..last {
            writeln!(shared, "    - campaign-{n:05}").unwrap();
            let path = group.join(format!("campaign-{n:05}.yaml"));
            let spec = format!(
                "spec:\n  type: filtered\n  state: active\n  accounts: all\n  priority: 100\n  pastSubscription: pause\n  \
                 sequenceRef: sequence-{first:05}\n  filter:\n    countries: [CM, CI]\n    professions: [teacher]\n    \
                 age: {{min: 18}}\n    attributes: {{cohort: '{n}'}}\n"
            );
            fs::write(&path, manifest("Campaign", n) + &spec).unwrap();
            files.push(path);
        }
        let days = "spec:\n  fallbackLanguage: fr\n  days:\n    \
                    - {day: 1, text: {fr: 'Bonjour {{ name }}. {{ optOutHint }}'}}\n    \
                    - {day: 2, text: {fr: 'Encore bonjour {{ name }}.'}}\n";
        shared = shared.replacen("\n---", &format!("{days}---"), 1);
        fs::write(group.join("shared.yaml"), shared).unwrap();
    }
    files
}

fn manifest(kind: &str, n: usize) -> String {
    format!("apiVersion: relance/v1\nkind: {kind}\nmetadata:\n  name: {}-{n:05}\n", kind.to_lowercase())
}

fn validate(dir: &Path) {
    let relancectl = Command::new(env!("CARGO_BIN_EXE_relancectl"))
        .arg("validate")
        .arg("--dir")
        .arg(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .status();
    assert!(relancectl.unwrap().success());
}

fn validate_bare(dir: &Path) {
    let files = fs::read_dir(dir).unwrap().flat_map(|group| fs::read_dir(group.unwrap().path()).unwrap());
    let bytes: usize = files.map(|file| fs::read(file.unwrap().path()).unwrap().len()).sum();
    assert!(bytes > 0);
}

async fn import_facts(store: &Store, campaigns: usize, accounts: usize) {
    let (now, _) = store.now().await.unwrap();
    let age = Age { as_of: now, now };
    let mut csv = "id,name,language,country,timezone\n".to_owned();
    for n in 0..accounts {
        writeln!(csv, "acc-{n},Aminata Ngo {n},fr,CM,Africa/Douala").unwrap();
    }
    import::accounts(store, facts::Source::stream("accounts", Cursor::new(csv)), age).await.unwrap();
    let mut csv =
        "id,account_id,name,phone,language,country,profession,birth_date,registered_at,consent,cohort\n".to_owned();
    for n in 0..accounts * PEOPLE {
        let at = now - chrono::TimeDelta::hours(3 + i64::try_from(n % 1_000).unwrap());
        // Most campaigns select somebody; each person belongs to one account.
        let (account, at, cohort) = (n % accounts, at.format("%Y-%m-%dT%H:%M:%SZ"), n * 7_919 % campaigns);
        writeln!(csv, "ref-{n},acc-{account},Jean {n},+23767{n:07},fr,CM,Teacher,1999-05-14,{at},opted_in,{cohort}")
            .unwrap();
    }
    let report = import::referrals(store, facts::Source::stream("referrals", Cursor::new(csv)), age).await.unwrap();
    assert_eq!(report.inserted, u64::try_from(accounts * PEOPLE).unwrap(), "{:?}", report.rejected.first());
}

fn open(store: &Store) -> Open {
    let store = store.clone();
    Arc::new(move |_| Arc::new(Sandbox::new(store.clone(), Duration::ZERO)))
}

/// Ticks until nothing is left to do, at most `most` times. Returns the number of ticks that had work.
async fn settle(store: &Store, most: usize) -> usize {
    let (mut loaded, mut seen) = (Loaded::new(open(store)), relance::daemon::Watermark::default());
    for tick in 0..most {
        let (program, _) = loaded.in_force(store).await.unwrap();
        let (now, _) = store.now().await.unwrap();
        if maintenance(store, &program, &mut seen, now).await.unwrap().is_nothing() {
            return tick;
        }
    }
    most
}

/// Returns the id that the next writing transaction gets, so that equal values mean that nothing was written.
async fn written(psql: &mut PgConnection) -> String {
    sqlx::query_scalar("select pg_snapshot_xmax(pg_current_snapshot())::text").fetch_one(psql).await.unwrap()
}

async fn planned(source: &Source, store: &Store, now: Timestamp) -> (Plan, Duration) {
    let begun = Instant::now();
    let mut comparison = compare(source.read().await.unwrap(), store).await.unwrap();
    store.count_effects(&mut comparison.plan, &comparison.desired, &comparison.in_force, now).await.unwrap();
    (comparison.plan, begun.elapsed())
}

/// Runs an idle daemon, edits a file, and measures the time until the edit is in force.
async fn daemon(store: &Store, source: Source, edited: &Path, psql: &mut PgConnection) {
    let supervisor = Supervisor {
        store: store.clone(),
        open: open(store),
        courier: None,
        claim: Claim { source: SourceId::unnamed(None), take_over: false },
        source,
        poll: Duration::from_secs(30),
        roles: Roles { send: false, enroll: false, serve: false, ..Roles::ALL },
        wake: Arc::new(Notify::new()),
        posted: Arc::default(),
        pulse: Pulse::default(),
    };
    let stop = CancellationToken::new();
    let (running, stopped) = (supervisor.clone(), stop.clone());
    let daemon = tokio::spawn(async move { running.run(&stopped).await });
    // The daemon now holds the lease, has read the files and watches them.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let latest = "select max(id) from revision";
    let revision: i32 = sqlx::query_scalar(latest).fetch_one(&mut *psql).await.unwrap();
    let text = fs::read_to_string(edited).unwrap();
    fs::write(edited, text.replace("priority: 100", "priority: 98")).unwrap();
    let begun = Instant::now();
    while sqlx::query_scalar::<_, i32>(latest).fetch_one(&mut *psql).await.unwrap() == revision {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    line("edit of one file until it is in force", begun.elapsed(), None);
    stop.cancel();
    daemon.await.unwrap();
}
