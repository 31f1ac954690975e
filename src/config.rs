//! The environment: what every command goes by is read once, what manifests name when it is needed. No other module looks at it; `DATABASE_URL` is clap's, which shows it in the help.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;

/// What the environment says to every command.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `RELANCE_PG_BIN`: the folder of `postgres` and `initdb`, instead of looking for them.
    pub postgres_bin: Option<PathBuf>,
    /// `PATH`.
    pub path: Vec<PathBuf>,
    /// `NO_COLOR` is set to something.
    pub no_color: bool,
    /// `RELANCE_LOG`: which events are logged, as `tracing_subscriber::EnvFilter` understands it.
    pub log: Option<String>,
    /// `USER`: who orders what is ordered from this terminal.
    pub user: Option<String>,
}

/// A variable of the environment that a manifest names, as it is now.
#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

impl Config {
    /// Reads the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    pub fn read() -> Self {
        Self {
            postgres_bin: env::var_os("RELANCE_PG_BIN").filter(|bin| !bin.is_empty()).map(PathBuf::from),
            path: env::split_paths(env::var_os("PATH").as_deref().unwrap_or(OsStr::new(""))).collect(),
            no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            log: env::var("RELANCE_LOG").ok(),
            user: env::var("USER").ok().filter(|user| !user.trim().is_empty()),
        }
    }
}
