//! A database per test, in one private server for all test processes. It loses everything in a crash and is fast for it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use relance::cli::server_programs;
use relance::config::Config;
use relance::postgres::{Durability, Options, Scratch, Server};
use relance::store::{MIGRATOR, Store};
use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

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
        scratch().url(&self.name)
    }
}

impl TestDatabase {
    /// Empties it for another test of the same kind.
    pub(crate) async fn empty(&self) {
        scratch().empty(&self.name).await.unwrap();
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // The test's own runtime is waiting for us.
        alone(async || scratch().remove(&self.name).await).unwrap();
    }
}

/// Makes a database for the calling test.
pub(crate) async fn database() -> TestDatabase {
    let name = scratch().create().await.unwrap();
    let pool = PgPoolOptions::new().max_connections(5).connect(&scratch().url(&name)).await.unwrap();
    TestDatabase { store: Store::of(pool.clone()), pool, name }
}

/// The options of a private server in `dir`, kept by the program under test.
pub(crate) fn options(dir: PathBuf) -> Options {
    Options {
        dir,
        keeper_program: env!("CARGO_BIN_EXE_relancectl").into(),
        search: server_programs::search(&Config::read()),
        grace: Duration::from_secs(10),
        durability: Durability::Disposable,
    }
}

/// The server of this process and of all that run beside or soon after it.
fn scratch() -> &'static Scratch {
    static SCRATCH: OnceLock<Scratch> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let key = Sha256::digest(here.as_os_str().as_encoded_bytes());
        let key = key.iter().take(6).fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        let dir = fast_dir().join(format!("relance-{}-{key}", geteuid().as_raw()));
        alone(async || Scratch::prepare(Server::start(&options(dir)).unwrap().0, &MIGRATOR).await).unwrap()
    })
}

/// The folder for what need not last: in memory where the system has one for that.
pub(crate) fn fast_dir() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) }
}

/// Runs `work` on a thread and a runtime of its own: connections must not cross runtimes.
fn alone<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work());
    thread::scope(|scope| scope.spawn(run).join().unwrap())
}
