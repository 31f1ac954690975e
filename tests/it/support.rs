//! A database per test, in one private server for all test processes.
//!
//! The server loses everything in a crash and is fast for it. A template database, keyed by the migrations, is
//! migrated once; a test gets a copy.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use relance::config::Config;
use relance::store::embedded::{Durability, Options, Search, Server};
use relance::store::{MIGRATOR, Store};
use rustix::process::{Pid, geteuid, getpid, test_kill_process};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};

/// Any number that nothing else on this server locks.
const TEMPLATE_LOCK: i64 = 0x7265_6c61;

/// A database of one test, migrated and empty. Dropped with it.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    pub(crate) store: Store,
    /// For what no verb of the store says.
    pub(crate) pool: PgPool,
    name: String,
}

impl TestDatabase {
    /// For programs that the test starts.
    pub(crate) fn url(&self) -> String {
        server().url(&self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = &self.name;
        // The test's own runtime is waiting for us.
        thread::scope(|scope| scope.spawn(|| alone(remove(name))).join().unwrap()).unwrap();
    }
}

/// Makes a database for the calling test.
pub(crate) async fn database() -> TestDatabase {
    static NUMBER: AtomicU32 = AtomicU32::new(0);

    let template = template();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", getpid().as_raw_nonzero());
    server().create_database(&name, Some(template)).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(5).connect(&server().url(&name)).await.unwrap();
    TestDatabase { store: Store::of(pool.clone()), pool, name }
}

/// Drops a database in which the pool of the test still has connections.
async fn remove(name: &str) -> Result<(), sqlx::Error> {
    let mut admin = PgConnection::connect(&server().url("postgres")).await?;
    // Ended first and one by one, because Postgres itself looks only ten times a second whether they are gone.
    loop {
        let ended = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        if sqlx::query(ended).bind(name).fetch_all(&mut admin).await?.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    admin.execute(AssertSqlSafe(format!("drop database {name} with (force)"))).await?;
    admin.close().await
}

/// The options of a private server in `dir`, kept by the program under test.
pub(crate) fn options(dir: PathBuf) -> Options {
    let config = Config::read();
    Options {
        dir,
        keeper_program: env!("CARGO_BIN_EXE_relancectl").into(),
        search: Search { bin: config.postgres_bin, path: config.path },
        grace: Duration::from_secs(10),
        durability: Durability::Disposable,
    }
}

/// The server of this process and of all that run beside or soon after it.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let key = hex(Sha256::digest(here.as_os_str().as_encoded_bytes()).as_slice());
        let dir = fast_dir().join(format!("relance-{}-{key}", geteuid().as_raw()));
        Server::start(&options(dir)).unwrap().0
    })
}

/// The folder for what need not last: in memory where the system has one for that.
pub(crate) fn fast_dir() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) }
}

/// The name of the migrated template; made by the first process that needs it.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let migrations = MIGRATOR.iter().fold(Sha256::new(), |hash, migration| hash.chain_update(&migration.checksum));
        let name = format!("template_{}", hex(migrations.finalize().as_slice()));
        thread::scope(|scope| scope.spawn(|| alone(prepare(&name))).join().unwrap()).unwrap();
        name
    })
}

/// Makes the template unless it is there, and drops what dead runs and older migrations left.
async fn prepare(name: &str) -> Result<(), sqlx::Error> {
    let mut admin = PgConnection::connect(&server().url("postgres")).await?;
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut admin).await?;
    let names: Vec<String> = sqlx::query_scalar("select datname::text from pg_database").fetch_all(&mut admin).await?;
    for left in names.iter().filter(|left| is_left(left, name)) {
        admin.execute(AssertSqlSafe(format!("drop database if exists {left} with (force)"))).await?;
    }
    if !names.iter().any(|found| found == name) {
        // Under another name until it is complete.
        admin.execute(AssertSqlSafe(format!("create database new_{name}"))).await?;
        let mut new = PgConnection::connect(&server().url(&format!("new_{name}"))).await?;
        MIGRATOR.run(&mut new).await?;
        new.close().await?;
        admin.execute(AssertSqlSafe(format!("alter database new_{name} rename to {name}"))).await?;
    }
    admin.close().await
}

fn is_left(database: &str, template: &str) -> bool {
    match database.split_once('_') {
        Some(("test", rest)) => {
            let pid = rest.split('_').next().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
            pid.is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
        }
        Some(("template" | "new", _)) => !["template0", "template1", template].contains(&database),
        _ => false,
    }
}

/// Runs `future` on a runtime of its own: connections must not cross runtimes.
fn alone<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(6).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
