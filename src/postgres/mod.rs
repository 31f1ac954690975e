//! A private Postgres for users without their own database.
//!
//! The first command that needs the server starts it, and further commands find it. The server stops after the last of
//! them. Its parent is no command but a [`Keeper`], which is the program itself run as a hidden command.
//!
//! The server's folder has three locks next to the cluster. `start.lock` serialises starts and stops of the server.
//! Users of the server hold `users.lock` shared, and the keeper holds `keeper.lock`. The kernel releases the locks, so
//! nothing depends on a clean exit.

mod archive;
mod binaries;
mod cluster;
mod download;
mod durability;
mod error;
mod fetch;
mod keeper;
mod log;
mod mark;
mod memory;
mod place;
mod postmaster;
mod scratch;
mod unpack;
mod user;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

pub use self::archive::Archive;
use self::binaries::Binaries;
pub use self::binaries::Search;
pub use self::durability::Durability;
pub use self::error::Error;
pub use self::fetch::{Fetch, Fetched, Progress, SYSTEM_CACHE, Source};
pub use self::keeper::Keeper;
pub use self::place::Moved;
use self::place::Place;
use self::postmaster::{PAUSE, State};
pub use self::scratch::Scratch;

/// The database that every cluster has from its first start.
pub const DATABASE: &str = cluster::NAME;

/// The time for which the server waits for the next command.
pub const GRACE: Duration = Duration::from_secs(2);

/// The longest wait from the start of the keeper to an answer of the server, without recovery.
const READY: Duration = Duration::from_secs(30);
/// The longest wait for recovery, which reads at most `max_wal_size`: minutes on a slow disk.
const RECOVERED: Duration = Duration::from_mins(10);

/// The settings of a private server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the server; it is created if missing.
    pub dir: PathBuf,
    /// The `relancectl` to run as the keeper.
    pub keeper_program: PathBuf,
    pub search: Search,
    pub grace: Duration,
    pub durability: Durability,
}

/// A server in use, which runs at least as long as this value lives.
#[derive(Debug)]
pub struct Server {
    place: Place,
    users: Option<File>,
}

/// How the command reached its server; shown to the user unless it was already running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The server was running.
    Found,
    /// The server was not running, and was started.
    Now { major: u32, dir: PathBuf, after: After, moved: Option<Moved> },
}

/// The earlier state of the folder that the server started in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    Nothing,
    Stop,
    Crash,
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Now { major, dir, after, moved } = self else { return f.write_str("postgres: found it running") };
        write!(f, "postgres: started PostgreSQL {major} in {}", dir.display())?;
        match after {
            After::Nothing => f.write_str(" (first start: made a new cluster)")?,
            After::Crash => f.write_str(" (recovered: it had not been stopped)")?,
            After::Stop => {}
        }
        moved.as_ref().map_or(Ok(()), |moved| write!(f, ", {moved}"))
    }
}

/// The state of a server, read without starting it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub dir: PathBuf,
    /// The major version of the cluster; `None` if there is no cluster yet.
    pub major: Option<u32>,
    /// The process, if it answers.
    pub pid: Option<i32>,
    pub in_use: bool,
}

/// The result of a request to stop the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Stopped,
    WasNotRunning,
    /// The server still runs, because another command uses it.
    InUse,
}

impl Server {
    /// Finds the running server or starts it, and keeps it running until dropped.
    ///
    /// Blocks, up to minutes after a crash.
    pub fn start(options: &Options) -> Result<(Self, Started), Error> {
        let place = Place::choose(&options.dir)?;
        if cluster::major(&place)?.is_none() {
            // The search fails before anything is created.
            Binaries::find(&options.search, None, &place)?;
        }
        place.prepare()?;
        let alone = place.start_lock()?;
        alone.lock().map_err(Error::io("lock", &place.dir))?;
        // The lock waits for a keeper that is stopping the server.
        let users = place.users_lock()?;
        users.lock_shared().map_err(Error::io("lock", &place.dir))?;
        mark::agree(&place, cluster::major(&place)?.is_some())?;
        let started = bring_up(&place, options)?;
        Ok((Self { place, users: Some(users) }, started))
    }

    /// Takes over a server's folder outside of the workspace that another workspace of the same path left.
    pub fn take_over(dir: &Path) -> Result<(), Error> {
        let place = Place::choose(dir)?;
        if cluster::major(&place)?.is_none() {
            return Ok(());
        }
        let alone = place.start_lock()?;
        alone.lock().map_err(Error::io("lock", &place.dir))?;
        mark::share(&place)
    }

    /// Stops the server unless a command uses it.
    pub fn stop(dir: &Path) -> Result<Stop, Error> {
        let place = Place::choose(dir)?;
        if cluster::major(&place)?.is_none() {
            return Ok(Stop::WasNotRunning);
        }
        stop_unless_used(&place)
    }

    /// Returns the state of the server and changes nothing.
    pub fn status(dir: &Path) -> Result<Status, Error> {
        let place = Place::choose(dir)?;
        let major = cluster::major(&place)?;
        let State::Ready(pid) = State::of(&place) else {
            return Ok(Status { dir: place.dir, major, pid: None, in_use: false });
        };
        let in_use = place.users_lock()?.try_lock().is_err();
        Ok(Status { dir: place.dir, major, pid: Some(pid.as_raw_nonzero().get()), in_use })
    }

    /// Returns the URL of a database, for relance and for any program that uses libpq.
    pub fn url(&self, database: &str) -> String {
        self.place.url(database)
    }

    /// Creates a database, empty or as a copy of `template`, to which nobody may be connected.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<(), Error> {
        let name = quoted(name);
        let statement = match template {
            // For many small new databases, copying files is faster than logging every page.
            Some(template) => {
                format!("create database {name} template {} strategy file_copy", quoted(template))
            }
            None => format!("create database {name}"),
        };
        self.execute("create a database", statement).await
    }

    /// Drops a database if it exists, and ends its connections.
    pub async fn drop_database(&self, name: &str) -> Result<(), Error> {
        self.execute("drop a database", format!("drop database if exists {} with (force)", quoted(name))).await
    }

    /// Releases the server and stops it, unless another command uses it. Blocks.
    pub fn close(mut self) -> Result<Stop, Error> {
        self.users = None;
        stop_unless_used(&self.place)
    }

    async fn execute(&self, operation: &'static str, statement: String) -> Result<(), Error> {
        let run = async {
            let mut connection = PgConnection::connect(&self.url("postgres")).await?;
            connection.execute(AssertSqlSafe(statement)).await?;
            connection.close().await
        };
        run.await.map_err(Error::sql(operation))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of a container's first process ends all others, so no keeper would stop the server in good order.
        if self.users.take().is_some() && std::process::id() == 1 {
            // If this fails, the next start recovers.
            drop(stop_unless_used(&self.place));
        }
    }
}

/// Ensures that a server with a keeper answers. The caller holds `start.lock`, and `users.lock` shared.
fn bring_up(place: &Place, options: &Options) -> Result<Started, Error> {
    let state = State::of(place);
    let found = matches!(state, State::Ready(_));
    if found && place.is_kept()? {
        return Ok(Started::Found);
    }
    let cluster = cluster::major(place)?;
    let binaries = Binaries::find(&options.search, cluster, place)?;
    if cluster.is_none() {
        cluster::create(place, &binaries, options.durability)?;
    }
    place.prepare_socket()?;
    if state == State::Stopped {
        place.trim_log()?;
    }
    await_ready(place, |log| spawn_keeper(place, &binaries, options, log))?;
    let after = match (cluster, state) {
        (None, _) => After::Nothing,
        (Some(_), State::Crashed | State::Replaced | State::Silent(_)) => After::Crash,
        (Some(_), _) => After::Stop,
    };
    let dir = if place.moved.is_some() { place.dir.clone() } else { options.dir.clone() };
    let started = Started::Now { major: binaries.major, dir, after, moved: place.moved.clone() };
    Ok(if found { Started::Found } else { started })
}

/// Waits until the server answers and has a keeper; starts a keeper if there is none.
fn await_ready(place: &Place, spawn: impl Fn(File) -> Result<Child, Error>) -> Result<(), Error> {
    let log_bytes = place.log_bytes();
    let log = place.open(&place.log())?;
    let mut keeper: Option<Child> = None;
    let began = Instant::now();
    loop {
        let state = State::of(place);
        let is_kept = place.is_kept()?;
        if is_kept && matches!(state, State::Ready(_)) {
            return Ok(());
        }
        match keeper.as_mut().map(Child::try_wait) {
            None if !is_kept => keeper = Some(spawn(log.try_clone().map_err(Error::io("open", &place.log()))?)?),
            // Another keeper still held the lock.
            Some(Ok(Some(exit))) if exit.success() => keeper = None,
            Some(Ok(Some(_)) | Err(_)) => return Err(place.not_ready(log_bytes)),
            None | Some(Ok(None)) => {}
        }
        let patience = if matches!(state, State::Starting(_)) { RECOVERED } else { READY };
        if began.elapsed() > patience {
            return Err(place.not_ready(log_bytes));
        }
        sleep(PAUSE);
    }
}

fn spawn_keeper(place: &Place, binaries: &Binaries, options: &Options, log: File) -> Result<Child, Error> {
    let mut command = Command::new(&options.keeper_program);
    command.arg("keep-postgres").arg("--folder").arg(&place.dir).arg("--bin").arg(&binaries.dir);
    command.arg("--grace-ms").arg(options.grace.as_millis().to_string());
    if options.durability == Durability::Disposable {
        command.arg("--disposable");
    }
    let errors = log.try_clone().map_err(Error::io("open", &place.log()))?;
    // The keeper outlives this process, so it must hold neither its folder nor its secrets.
    command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(log).stderr(errors);
    command.spawn().map_err(Error::io("run", &options.keeper_program))
}

fn stop_unless_used(place: &Place) -> Result<Stop, Error> {
    let alone = place.start_lock()?;
    alone.lock().map_err(Error::io("lock", &place.dir))?;
    let users = place.users_lock()?;
    // A keeper holds the lock briefly when it looks for users, and longer when it stops the server itself.
    let asked = Instant::now();
    while users.try_lock().is_err() {
        let busy = matches!(State::of(place), State::Ready(_)) && place.is_kept()?;
        if busy && asked.elapsed() > PAUSE * 20 {
            return Ok(Stop::InUse);
        }
        sleep(PAUSE);
    }
    let was_running = !State::of(place).is_down();
    postmaster::stop(place)?;
    place.tidy();
    // The keeper ends once it sees that the server is gone. Otherwise the next command would wait for it to start the
    // server.
    while place.is_kept()? && asked.elapsed() < READY {
        sleep(PAUSE);
    }
    Ok(if was_running { Stop::Stopped } else { Stop::WasNotRunning })
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
