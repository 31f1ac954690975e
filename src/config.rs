//! The environment, read only by this module.
//!
//! Settings of every command are read once; variables that manifests name are read when they are needed. Clap reads
//! `DATABASE_URL` itself, and so shows it in the help.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;

/// The settings of every command from the environment.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `RELANCE_PG_BIN`: the folder of `postgres` and `initdb`, instead of a search.
    pub postgres_bin: Option<PathBuf>,
    /// `RELANCE_PG_ARCHIVE`: the archive of server programs, for machines without internet access.
    pub postgres_archive: Option<PathBuf>,
    /// `RELANCE_OFFLINE` is not empty: nothing is fetched. The command line has an option for this, too.
    pub offline: bool,
    /// The user's folder for files that can be fetched again: `XDG_CACHE_HOME`, else the system's default.
    pub cache: Option<PathBuf>,
    /// `PATH`.
    pub path: Vec<PathBuf>,
    /// `NO_COLOR` is not empty, or `TERM` is `dumb`: a terminal that shows escape codes as they are.
    pub no_color: bool,
    /// `RELANCE_LOG`: the events to log, as a filter for `tracing_subscriber::EnvFilter`.
    pub log: Option<String>,
    /// `TMPDIR`, else the system's folder for temporary files.
    pub temporary: PathBuf,
    /// `USER`: the actor of orders from this terminal.
    pub user: Option<String>,
}

/// Returns the current value of an environment variable that a manifest names.
#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

impl Config {
    /// Reads the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    pub fn read() -> Self {
        Self {
            postgres_bin: path("RELANCE_PG_BIN"),
            postgres_archive: path("RELANCE_PG_ARCHIVE"),
            offline: env::var_os("RELANCE_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0"),
            cache: cache(),
            path: env::split_paths(env::var_os("PATH").as_deref().unwrap_or(OsStr::new(""))).collect(),
            no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
                || env::var_os("TERM").is_some_and(|terminal| terminal == "dumb"),
            temporary: env::temp_dir(),
            log: env::var("RELANCE_LOG").ok(),
            user: env::var("USER").ok().filter(|user| !user.trim().is_empty()),
        }
    }
}

/// Returns the path in a variable; an empty variable has none.
#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
fn path(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Returns the user's cache. Root uses the system's cache, because root's home is closed to the user that runs its
/// server.
fn cache() -> Option<PathBuf> {
    let in_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let root = rustix::process::geteuid().is_root();
    let by_default =
        || if root { Some(PathBuf::from("/var/cache")) } else { path("HOME").map(|home| home.join(in_home)) };
    let named = path("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
    named.or_else(by_default).map(|dir| dir.join("relance"))
}
