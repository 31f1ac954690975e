//! The Postgres server of all measurements: the one shipped with the program, with `fsync=on`.

use std::path::PathBuf;
use std::time::Duration;

use relance::cli::server_programs;
use relance::config::Config;
use relance::postgres::{Durability, Options, Server};

/// Connects to the running server or starts it. Its data directory persists between runs.
pub(crate) fn start() -> Server {
    let options = Options {
        dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-postgres"),
        keeper_program: env!("CARGO_BIN_EXE_relancectl").into(),
        search: server_programs::search(&Config::read()),
        grace: Duration::from_secs(2),
        durability: Durability::Full,
    };
    Server::start(&options).unwrap().0
}
