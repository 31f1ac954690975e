//! The daemon as its users meet it: a process beside files, with a database that it is told of or one of its own.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use relance::postgres::{DATABASE, Durability, Options, Server};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;

use crate::support::database::{fast_dir, options};

const DEADLINE: Duration = Duration::from_mins(1);

/// A working directory, open to the user that runs a private server when we are root.
pub(crate) fn folder() -> TempDir {
    let open = fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("relance-").permissions(open).tempdir_in(fast_dir()).unwrap()
}

pub(crate) fn relancectl(dir: &Path, url: Option<&str>, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relancectl"));
    command.current_dir(dir).env_remove("DATABASE_URL").env("NO_COLOR", "1").stdin(Stdio::null());
    if let Some(url) = url {
        command.args(["--database-url", url]);
    }
    command.args(args);
    command
}

/// A daemon; killed with the test.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub(crate) fn start(dir: &Path, url: Option<&str>, args: &[&str]) -> Self {
        Self::of(relancectl(dir, url, args), dir)
    }

    /// The process of `command`, with its log in `dir`.
    pub(crate) fn of(mut command: Command, dir: &Path) -> Self {
        let log = dir.join(format!("daemon-{}.log", fs::read_dir(dir).unwrap().count()));
        let child = command.stderr(File::create(&log).unwrap()).stdout(Stdio::null()).spawn().unwrap();
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Asks it to stop; how it ended and how long that took.
    pub(crate) fn stop(mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        self.signal(Signal::TERM);
        (self.wait(), began.elapsed())
    }

    /// Waits for the end of a daemon that was told to stop.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

/// Waits until a yes-or-no query says yes.
pub(crate) async fn until(pool: &PgPool, daemon: &Daemon, query: &str) -> Duration {
    let began = Instant::now();
    // A database that is being made again has no tables for a moment.
    while !matches!(sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(pool).await, Ok(true)) {
        assert!(began.elapsed() < DEADLINE, "never: {query}\n{}", daemon.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

pub(crate) fn until_logged(daemon: &Daemon, what: &str) {
    let began = Instant::now();
    while !daemon.log().contains(what) {
        assert!(began.elapsed() < DEADLINE, "never logged: {what}\n{}", daemon.log());
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Accounts `a1`, `a2` … and so many people of each, imported from files as a user does it.
pub(crate) fn import(dir: &Path, url: Option<&str>, accounts: usize, people: usize) {
    let mut rows = "id,name,timezone,language\n".to_owned();
    let mut persons = "id,account_id,name,phone,country,registered_at,consent\n".to_owned();
    for account in 1..=accounts {
        rows += &format!("a{account},Aminata,Africa/Douala,fr\n");
        for n in 0..people {
            persons += &format!(
                "r{account}-{n},a{account},Paul,+2376{:08},CM,2026-11-01T10:00:00Z,opted_in\n",
                71_000_000 + account * 10_000 + n
            );
        }
    }
    for (what, rows) in [("accounts", rows), ("referrals", persons)] {
        let file = dir.join(format!("{what}.csv"));
        fs::write(&file, rows).unwrap();
        let output = relancectl(dir, url, &["import", what, file.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
}

/// Replaces the manifests in one go: a daemon may be reading them.
pub(crate) fn put(dir: &Path, tree: &str) {
    let manifests = dir.join("campaigns");
    fs::create_dir_all(&manifests).unwrap();
    let aside = dir.join("aside");
    fs::write(&aside, tree).unwrap();
    fs::rename(aside, manifests.join("tree.yaml")).unwrap();
}

/// The private server of a folder; stopped with the test.
pub(crate) struct Private(PathBuf);

impl Private {
    pub(crate) fn of(dir: &Path) -> Self {
        Self(dir.join(".relance/postgres"))
    }

    /// Starts it, or finds it running.
    pub(crate) fn server(&self) -> Server {
        let options = Options { durability: Durability::Full, ..options(self.0.clone()) };
        Server::start(&options).unwrap().0
    }

    /// Tells the process of the server.
    pub(crate) fn signal(&self, signal: Signal) {
        let folders = fs::read_dir(&self.0).unwrap();
        let files = folders.map(|entry| entry.unwrap().path().join("postmaster.pid"));
        let pid = fs::read_to_string(files.into_iter().find(|file| file.exists()).unwrap()).unwrap();
        let pid: i32 = pid.lines().next().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Its connections, made when they are needed.
    pub(crate) fn pool(server: &Server) -> PgPool {
        PgPoolOptions::new().max_connections(2).connect_lazy(&server.url(DATABASE)).unwrap()
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        Server::stop(&self.0).unwrap();
    }
}
