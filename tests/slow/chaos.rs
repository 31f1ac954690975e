//! Three daemons on one Postgres, each with files of its own that are edited all the time, killed and paused at random,
//! and the Postgres killed under them. Afterwards: one reconciled at any instant, nothing left twice, nobody is lost.
//!
//! It lasts twenty seconds, or as many as are asked for; what happened is printed at the end:
//!
//! ```sh
//! RELANCE_CHAOS_SECONDS=600 cargo test --test slow chaos -- --nocapture
//! ```
//!
//! The order of events follows `RELANCE_CHAOS_SEED`, a number; their effect depends on the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use relance::core::domain::Timestamp;
use relance::postgres::DATABASE;
use relance::store::{Speed, Store};
use rustix::process::Signal;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::crash::{check, finish};
use crate::support::daemon::{Daemon, Private, folder, import, put, until};
use crate::support::rows::{count, one};
use crate::support::trees::{ALWAYS, tree};

const DAEMONS: usize = 3;
const ACCOUNTS: usize = 4;
const PEOPLE: usize = 60;
const DAYS: u16 = 8;
/// Some twenty hours of work a day: there is always somebody to be written to.
const DEFAULTS: &str = "pacing: {every: 20m, jitter: 4m}, limits: {messagesPerDay: 1000}, channelRef: sandbox";
/// More than the lease, which is one of real time.
const PAUSE_MS: Range<u64> = 7_000..9_000;
/// A server that is killed more often is given up by its keeper.
const SERVER_LIVES: Duration = Duration::from_secs(12);

fn asked(name: &str, usual: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "another run is asked for by hand")]
    std::env::var(name).map_or(usual, |number| number.parse().unwrap())
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, range: Range<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        range.start + (mixed ^ (mixed >> 31)) % (range.end - range.start)
    }

    fn moment(&mut self, ms: Range<u64>) -> Duration {
        Duration::from_millis(self.roll(ms))
    }
}

enum State {
    Runs(Daemon),
    Paused(Daemon, Instant),
    Gone(Instant),
}

/// What was done to them.
#[derive(Debug, Default)]
struct Done {
    edits: u32,
    kills: u32,
    pauses: u32,
    servers: u32,
    /// Started while the server was away.
    stillborn: u32,
    /// Among the victims: who reconciled.
    leaders: u32,
}

struct Chaos {
    dice: Dice,
    url: String,
    pool: PgPool,
    private: Private,
    folders: Vec<TempDir>,
    states: Vec<State>,
    done: Done,
    server_since: Instant,
    /// The highest that was seen.
    token: i64,
}

impl Chaos {
    fn start(&self, n: usize) -> State {
        State::Runs(Daemon::start(self.folders[n].path(), Some(&self.url), &["run"]))
    }

    /// Takes notice of one that ended by itself: it was started while the server was away.
    fn bury(&mut self, n: usize) {
        if let State::Runs(daemon) = &mut self.states[n]
            && daemon.has_ended()
        {
            assert!(daemon.log().contains("cannot connect to the database"), "{}", daemon.log());
            self.done.stillborn += 1;
            self.states[n] = State::Gone(Instant::now() + self.dice.moment(100..500));
        }
    }

    /// Gives back what was taken for long enough.
    fn revive(&mut self) {
        for n in 0..DAEMONS {
            self.bury(n);
            let now = Instant::now();
            let state = std::mem::replace(&mut self.states[n], State::Gone(now));
            self.states[n] = match state {
                State::Paused(daemon, until) if until <= now => {
                    daemon.signal(Signal::CONT);
                    State::Runs(daemon)
                }
                State::Gone(until) if until <= now => self.start(n),
                other => other,
            };
        }
    }

    /// Looks who reconciles: the token only ever grows.
    async fn leader(&mut self) -> Option<usize> {
        // The server may be away.
        let (token, pid): (i64, Option<i32>) =
            sqlx::query_as("select token, pid from reconciler").fetch_one(&self.pool).await.ok()?;
        assert!(token >= self.token, "the token went back from {} to {token}", self.token);
        self.token = token;
        let is_it = |state: &State| matches!(state, State::Runs(daemon) if i32::try_from(daemon.pid()).ok() == pid);
        self.states.iter().position(is_it)
    }

    async fn act(&mut self) {
        match self.dice.roll(0..10) {
            0..5 => self.edit(),
            5..9 => self.strike().await,
            _ if self.server_since.elapsed() > SERVER_LIVES => self.kill_server(),
            _ => {}
        }
    }

    fn edit(&mut self) {
        self.done.edits += 1;
        let n = usize::try_from(self.dice.roll(0..DAEMONS as u64)).unwrap();
        let state = if self.dice.roll(0..8) == 0 { "paused" } else { "active" };
        let words = format!("{n}.{}", self.done.edits);
        put(self.folders[n].path(), &manifests(&words, state, self.dice.roll(0..2)));
    }

    /// Kills or pauses somebody, rather the one who reconciles, as long as another is left.
    async fn strike(&mut self) {
        let leader = self.leader().await;
        let running: Vec<usize> = (0..DAEMONS).filter(|n| matches!(self.states[*n], State::Runs(_))).collect();
        if running.len() < 2 {
            return;
        }
        let anybody = running[usize::try_from(self.dice.roll(0..running.len() as u64)).unwrap()];
        let n = leader.filter(|_| self.dice.roll(0..3) > 0).unwrap_or(anybody);
        self.done.leaders += u32::from(leader == Some(n));
        let State::Runs(mut daemon) = std::mem::replace(&mut self.states[n], State::Gone(Instant::now())) else {
            return;
        };
        self.states[n] = if self.dice.roll(0..2) == 0 {
            self.done.kills += 1;
            daemon.kill();
            State::Gone(Instant::now() + self.dice.moment(0..1_500))
        } else {
            self.done.pauses += 1;
            daemon.signal(Signal::STOP);
            State::Paused(daemon, Instant::now() + self.dice.moment(PAUSE_MS))
        };
    }

    fn kill_server(&mut self) {
        self.done.servers += 1;
        self.private.signal(if self.dice.roll(0..2) == 0 { Signal::KILL } else { Signal::INT });
        std::thread::sleep(self.dice.moment(300..1_500));
        // Its keeper may have been faster.
        drop(self.private.server());
        self.server_since = Instant::now();
    }

    /// Has everybody run again, with the same files, until these are in force; then stops them.
    async fn calm_down(&mut self) {
        for n in 0..DAEMONS {
            put(self.folders[n].path(), &manifests("Fin", "active", 0));
            self.bury(n);
            let state = std::mem::replace(&mut self.states[n], State::Gone(Instant::now()));
            self.states[n] = match state {
                State::Runs(daemon) => State::Runs(daemon),
                State::Paused(daemon, _) => {
                    daemon.signal(Signal::CONT);
                    State::Runs(daemon)
                }
                State::Gone(_) => self.start(n),
            };
        }
        let State::Runs(any) = &self.states[0] else { panic!("nobody is started") };
        let calm = "select exists (select from manifest where kind = 'Sequence' and body::text like '%Fin jour%')
                    and not exists (select from run where phase <> 'active' and phase <> 'completed')";
        until(&self.pool, any, calm).await;
        for state in self.states.drain(..) {
            let State::Runs(daemon) = state else { panic!("somebody is not started") };
            assert_eq!(daemon.stop().0.code(), Some(0));
        }
        assert!(one::<bool>(&self.pool, "select until is null from reconciler").await);
    }

    /// Holds the logs against the revisions: each was written by who had the token, and no two ever had one.
    async fn one_reconciled_at_a_time(&self) {
        let written = "select coalesce(string_agg(concat(id, ' ', token), ',' order by id), '') from revision";
        let written: String = one(&self.pool, written).await;
        let mut under: BTreeMap<i64, i64> = BTreeMap::new();
        let mut highest = 0;
        for pair in written.split(',') {
            let (id, token) = pair.split_once(' ').unwrap();
            let (id, token): (i64, i64) = (id.parse().unwrap(), token.parse().unwrap());
            assert!(token >= highest, "revision {id} was written under token {token} after one under {highest}");
            highest = token;
            under.insert(id, token);
        }
        let mut seen = BTreeSet::new();
        for log in self.logs() {
            let mut token = 0;
            for line in log.lines() {
                if let Some(taken) = number(line, "reconciling from here on (token ") {
                    assert!(seen.insert(taken), "token {taken} was given twice");
                    assert!(taken > token, "{taken} after {token}");
                    token = taken;
                } else if let Some(id) = number(line, "applied a new revision revision=") {
                    assert_eq!(under.get(&id), Some(&token), "revision {id} was applied under token {token}");
                }
            }
        }
    }

    /// What the daemons said, process by process.
    fn logs(&self) -> Vec<String> {
        let files = self.folders.iter().flat_map(|folder| fs::read_dir(folder.path()).unwrap());
        let paths = files.map(|file| file.unwrap().path());
        let logs = paths.filter(|path| path.extension().is_some_and(|kind| kind == "log"));
        logs.map(|log| fs::read_to_string(log).unwrap()).collect()
    }

    async fn tell(&self, seconds: u64, seed: u64) {
        let count = async |rows: &str| count(&self.pool, rows).await;
        let fenced = self.logs().iter().map(|log| log.matches("nothing was written").count()).sum::<usize>();
        let lost = self.logs().iter().map(|log| log.matches("lease on reconciling was lost").count()).sum::<usize>();
        let text = format!(
            "{seconds} s, seed {seed}: {:?}; {} tokens, {} revisions, {lost} leases lost and {fenced} writes refused; \
             {} messages left, {} of them uncertain",
            self.done,
            self.token,
            count("revision").await,
            count("sandbox_message").await,
            count("message where state = 'uncertain'").await,
        );
        #[expect(clippy::print_stderr, reason = "what a long run is made for")]
        {
            eprintln!("{text}");
        }
    }
}

/// A tree in which a hand-over lasts so many seconds: whoever is killed is often in the middle of one.
fn manifests(words: &str, state: &str, latency: u64) -> String {
    let spec = format!("{ALWAYS}, limits: {{messagesPerDay: 1000}}, state: {state}");
    let campaign = tree(DAYS, DEFAULTS, &[("c", &spec)]).replace("Jour ", &format!("{words} jour "));
    let channel = format!("metadata: {{name: sandbox}}\nspec: {{type: sandbox, latency: {latency}s}}\n");
    format!("{campaign}---\napiVersion: relance/v1\nkind: Channel\n{channel}")
}

/// The number that follows `words`.
fn number(line: &str, words: &str) -> Option<i64> {
    let (_, after) = line.split_once(words)?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Moves the clock to where every lease on messages is over, while nobody runs.
async fn later(pool: &PgPool, store: &Store) {
    let (now, _) = store.now().await.unwrap();
    let last: Option<Timestamp> = one(pool, "select max(until) from lease").await;
    store.set_clock(last.unwrap_or(now).max(now) + TimeDelta::hours(1), Speed(1.0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_killed_daemons_never_send_twice_or_lose_anyone() {
    let (seconds, seed) = (asked("RELANCE_CHAOS_SECONDS", 20), asked("RELANCE_CHAOS_SEED", 4));
    let home = folder();
    let private = Private::of(home.path());
    let server = private.server();
    let (url, pool) = (server.url(DATABASE), Private::pool(&server));
    import(home.path(), Some(&url), ACCOUNTS, PEOPLE);
    let store = Store::open(&url, 1).await.unwrap();
    // Half of the days pass under fire.
    let pace = f64::from(DAYS) / 2.0 * 86_400.0 / f64::from(u32::try_from(seconds).unwrap());
    store.set_clock("2026-11-30T08:00:00Z".parse().unwrap(), Speed(pace)).await.unwrap();
    let folders: Vec<TempDir> = (0..DAEMONS).map(|_| folder()).collect();
    for (n, folder) in folders.iter().enumerate() {
        put(folder.path(), &manifests(&format!("{n}.0"), "active", 1));
    }
    let began = Instant::now();
    let mut chaos = Chaos {
        dice: Dice(seed),
        url,
        pool,
        private,
        folders,
        states: (0..DAEMONS).map(|_| State::Gone(began)).collect(),
        done: Done::default(),
        server_since: began,
        token: 0,
    };
    while began.elapsed() < Duration::from_secs(seconds) {
        chaos.revive();
        let pause = chaos.dice.moment(50..600);
        tokio::time::sleep(pause).await;
        chaos.leader().await;
        chaos.act().await;
    }
    chaos.calm_down().await;
    chaos.one_reconciled_at_a_time().await;
    check(&chaos.pool).await;
    let waiting = "select count(*) from target t where state = 'active' and due_at is null and not exists (
                     select from message m where m.state = 'sending'
                     and (m.account_id, m.campaign_id, m.referral_id) = (t.account_id, t.campaign_id, t.referral_id))";
    assert_eq!(one::<i64>(&chaos.pool, waiting).await, 0, "somebody waits for nothing");
    chaos.leader().await;
    assert!(chaos.done.leaders > 0 && chaos.token > 1, "nobody ever took over");

    later(&chaos.pool, &store).await;
    let (folder, people) = (chaos.folders[0].path(), ACCOUNTS * PEOPLE);
    finish(folder, Some(&chaos.url), &chaos.pool, people, DAYS).await;
    chaos.tell(seconds, seed).await;
    store.close().await;
    chaos.pool.close().await;
    drop(server);
}
