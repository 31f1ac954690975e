//! The private server: real processes, really killed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use relance::postgres::{After, DATABASE, Durability, Options, Server, Started, Stop};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::schema::make_unreleased;
use crate::support::database::{database, fast_dir, options};

const RELANCECTL: &str = env!("CARGO_BIN_EXE_relancectl");
const NOBODY: u32 = 65534;
const DEADLINE: Duration = Duration::from_secs(30);

/// A working directory with a private server, which is stopped with it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        // Open to the user that runs the server when we are root.
        let open = fs::Permissions::from_mode(0o755);
        Self(tempfile::Builder::new().prefix("relance-").permissions(open).tempdir_in(fast_dir()).unwrap())
    }

    fn server_dir(&self) -> PathBuf {
        self.0.path().join(".relance/postgres")
    }

    fn options(&self) -> Options {
        let options = options(self.server_dir());
        Options { grace: Duration::from_millis(100), durability: Durability::Full, ..options }
    }

    fn start(&self) -> (Server, Started) {
        Server::start(&self.options()).unwrap()
    }

    fn is_running(&self) -> bool {
        Server::status(&self.server_dir()).unwrap().pid.is_some()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(Server::status(&self.server_dir()).unwrap().pid.unwrap()).unwrap()
    }

    fn relancectl(&self, args: &[&str]) -> Output {
        relancectl(RELANCECTL.as_ref(), self.0.path(), args).output().unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        Server::stop(&self.server_dir()).unwrap();
    }
}

fn relancectl(program: &Path, dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).env_remove("DATABASE_URL");
    command
}

/// The keeper of a server it started.
fn keeper_of(postmaster: Pid) -> Pid {
    let stat = fs::read_to_string(format!("/proc/{}/stat", postmaster.as_raw_nonzero())).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    Pid::from_raw(after_name.split_whitespace().nth(1).unwrap().parse().unwrap()).unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn after(started: &Started) -> Option<After> {
    match started {
        Started::Found => None,
        Started::Now { after, .. } => Some(*after),
    }
}

async fn connect(server: &Server) -> PgConnection {
    PgConnection::connect(&server.url(DATABASE)).await.unwrap()
}

async fn save(server: &Server) {
    connect(server).await.execute("create table saved as select 42 as answer").await.unwrap();
}

async fn saved(server: &Server) -> i32 {
    sqlx::query_scalar("select answer from saved").fetch_one(&mut connect(server).await).await.unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_shared_server_stops_after_its_last_user_leaves() {
    let home = Home::new();
    let (server, started) = home.start();
    assert_eq!(after(&started), Some(After::Nothing));
    assert!(started.to_string().ends_with("(first start: made a new cluster)"), "{started}");
    save(&server).await;

    let other = home.relancectl(&["db", "url"]);
    assert_eq!(text(&other.stdout).trim(), server.url(DATABASE));
    assert!(!text(&other.stderr).contains("started"), "{}", text(&other.stderr));
    let refused = home.relancectl(&["db", "stop"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&home.relancectl(&["db", "status"]).stdout).contains(", in use"));

    drop(server);
    eventually("the server stops", || !home.is_running());
    let (server, started) = home.start();
    assert_eq!(after(&started), Some(After::Stop));
    assert_eq!(saved(&server).await, 42);
}

#[test]
fn one_of_many_concurrent_users_starts_the_server() {
    let home = Home::new();
    let interrupted = home.server_dir().join("data.new");
    fs::create_dir_all(&interrupted).unwrap();
    fs::write(interrupted.join("PG_VERSION"), "15").unwrap();

    let all: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| home.start())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });

    assert_eq!(all.iter().filter(|(_, started)| after(started).is_some()).count(), 1);
}

#[tokio::test]
async fn an_open_connection_keeps_the_server_running() {
    let home = Home::new();
    let (server, _) = home.start();
    let mut connection = connect(&server).await;
    drop(server);
    let began = Instant::now();
    while began.elapsed() < 10 * home.options().grace {
        connection.execute("select 1").await.unwrap();
    }
    connection.close().await.unwrap();
    eventually("the server stops", || !home.is_running());
}

#[tokio::test]
async fn the_last_user_stops_the_server_at_once() {
    let home = Home::new();
    let (one, _) = home.start();
    let (two, _) = home.start();
    assert_eq!(one.close().unwrap(), Stop::InUse);
    assert_eq!(two.close().unwrap(), Stop::Stopped);
    assert_eq!(Server::stop(&home.server_dir()).unwrap(), Stop::WasNotRunning);
    assert!(!home.server_dir().join("data/postmaster.pid").exists());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_server_restarts_for_its_users() {
    let home = Home::new();
    let (server, _) = home.start();
    save(&server).await;
    let killed = home.pid();
    kill_process(killed, Signal::KILL).unwrap();
    eventually("the server is back", || home.is_running() && home.pid() != killed);
    assert_eq!(saved(&server).await, 42);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_keeper_is_replaced() {
    let home = Home::new();
    let (server, _) = home.start();
    let pid = home.pid();
    kill_process(keeper_of(pid), Signal::KILL).unwrap();
    eventually("the keeper is gone", || !is_kept(&home));

    let (again, started) = home.start();
    assert_eq!((started, home.pid()), (Started::Found, pid));
    drop((server, again));
    eventually("the new keeper stops the server", || !home.is_running());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_killed_with_its_keeper_recovers_its_data() {
    let home = Home::new();
    let (server, _) = home.start();
    save(&server).await;
    let pid = home.pid();
    kill_process(keeper_of(pid), Signal::KILL).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    eventually("the server is gone", || !home.is_running());

    let (again, started) = home.start();
    assert_eq!(after(&started), Some(After::Crash));
    assert_eq!(saved(&again).await, 42);
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminated_keeper_stops_its_server() {
    let home = Home::new();
    let (_server, _) = home.start();
    let keeper = keeper_of(home.pid());
    kill_process(keeper, Signal::INT).unwrap();
    kill_process(keeper, Signal::TERM).unwrap();
    eventually("the keeper has stopped the server", || !is_kept(&home));
    assert!(!home.server_dir().join("data/postmaster.pid").exists());
}

#[test]
fn a_pid_file_that_names_another_program_is_stale() {
    let home = Home::new();
    home.start().0.close().unwrap();
    let pid_file = home.server_dir().join("data/postmaster.pid");
    fs::write(&pid_file, format!("{}\n{}\n", std::process::id(), home.server_dir().display())).unwrap();
    assert_eq!(after(&home.start().1), Some(After::Crash));
}

#[tokio::test]
async fn a_long_folder_path_moves_the_socket_to_tmp() {
    let home = Home::new();
    let deep = home.0.path().join("a folder with a long name, and blanks").join("x".repeat(80)).join("postgres");
    let options = Options { dir: deep.clone(), ..home.options() };
    let (server, _) = Server::start(&options).unwrap();
    let url = server.url(DATABASE);
    let socket_dir = url.split("host=").nth(1).unwrap().split('&').next().unwrap().replace("%2F", "/");
    assert!(socket_dir.starts_with("/tmp/relance-"), "{socket_dir}");
    assert_eq!(fs::metadata(&socket_dir).unwrap().mode() & 0o777, 0o700);
    save(&server).await;
    assert_eq!(server.close().unwrap(), Stop::Stopped);
    assert!(!Path::new(&socket_dir).exists());
}

#[test]
fn an_unprivileged_user_can_run_the_server() {
    if !geteuid().is_root() {
        return; // Then every other test shows it.
    }
    // The program may lie in a folder of root's, and memory may refuse to run it.
    let open = fs::Permissions::from_mode(0o755);
    let programs = tempfile::Builder::new().permissions(open).tempdir().unwrap();
    let program = programs.path().join("relancectl");
    fs::copy(RELANCECTL, &program).unwrap();
    let home = Home::new();
    let work = home.0.path();
    chown(work, Some(NOBODY), Some(NOBODY)).unwrap();
    let as_nobody = |args| relancectl(&program, work, args).uid(NOBODY).gid(NOBODY).output().unwrap();

    let started = as_nobody(&["db", "url"]);
    assert!(started.status.success(), "{}", text(&started.stderr));
    assert!(text(&started.stderr).contains("started PostgreSQL"));
    assert_eq!(fs::metadata(work.join(".relance/postgres/data")).unwrap().uid(), NOBODY);
    // Root is given what is there, and leaves it to its owner.
    let by_root = relancectl(&program, work, &["db", "status"]).output().unwrap();
    assert!(text(&by_root.stdout).contains("running as process"), "{}", text(&by_root.stdout));
    let stopped = as_nobody(&["db", "stop"]);
    assert_eq!(text(&stopped.stdout), "postgres: stopped\n");
}

#[test]
fn root_stores_the_cluster_elsewhere_when_its_folder_is_closed() {
    if !geteuid().is_root() {
        return;
    }
    let closed = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap();
    let run = |args| relancectl(RELANCECTL.as_ref(), closed.path(), args).output().unwrap();
    let started = run(&["db", "url"]);
    assert!(text(&started.stderr).contains("may not enter"), "{}", text(&started.stderr));
    assert_eq!(text(&run(&["db", "stop"]).stdout), "postgres: stopped\n");

    let elsewhere = Server::status(&closed.path().join(".relance/postgres")).unwrap().dir;
    assert!(!elsewhere.starts_with(closed.path()));
    fs::remove_dir_all(elsewhere).unwrap();
}

#[test]
fn a_cluster_of_another_version_is_refused() {
    let home = Home::new();
    let data = home.server_dir().join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let refused = home.relancectl(&["db", "url"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("is of PostgreSQL 9, which is not installed"), "{}", text(&refused.stderr));
}

#[test]
fn missing_server_programs_are_reported() {
    let home = Home::new();
    let empty = home.0.path();
    let refused = relancectl(RELANCECTL.as_ref(), empty, &["db", "url"]).env("RELANCE_PG_BIN", empty).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("RELANCE_PG_BIN: no working `postgres`"), "{}", text(&refused.stderr));
    assert!(!empty.join(".relance").exists());
}

#[tokio::test]
async fn each_test_has_its_own_database() {
    let one = database().await;
    let other = database().await;
    one.pool.execute("create table here ()").await.unwrap();
    let there: Option<String> =
        sqlx::query_scalar("select to_regclass('here')::text").fetch_one(&other.pool).await.unwrap();
    assert_eq!(there, None);
    other.store.now().await.unwrap();
}

#[tokio::test]
async fn a_demo_database_from_before_the_first_release_can_be_reset() {
    let home = Home::new();
    let url = text(&home.relancectl(&["db", "url"]).stdout).trim().to_owned();
    let opened = home.relancectl(&["get", "accounts"]);
    assert_eq!(opened.status.code(), Some(0), "{}", text(&opened.stderr));
    let mut database = PgConnection::connect(&url).await.unwrap();
    make_unreleased(&mut database, 26).await;
    let demo = "insert into account (external_id, name, timezone, as_of) values ('a1', 'Awa', 'UTC', '2026-01-01Z')";
    database.execute(demo).await.unwrap();
    let mark = format!("comment on database {DATABASE} is 'relance demo'");
    database.execute(AssertSqlSafe(mark)).await.unwrap();
    database.close().await.unwrap();
    let refused = home.relancectl(&["get", "accounts"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("begin with an empty one: `relancectl db reset`"),
        "{}",
        text(&refused.stderr)
    );
    let reset = home.relancectl(&["db", "reset"]);
    assert_eq!(reset.status.code(), Some(0), "{}", text(&reset.stderr));
    let empty = home.relancectl(&["get", "accounts", "-o", "json"]);
    assert_eq!((empty.status.code(), text(&empty.stdout).trim()), (Some(0), "[]"), "{}", text(&empty.stderr));
}

fn is_kept(home: &Home) -> bool {
    fs::File::open(home.server_dir().join("keeper.lock")).unwrap().try_lock_shared().is_err()
}
