//! The environment: what every command goes by is read once, what manifests name when it is needed. No other module looks at it; `DATABASE_URL` is clap's, which shows it in the help.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;

/// What the environment says to every command.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `RELANCE_PG_BIN`: the folder of `postgres` and `initdb`, instead of looking for them.
    pub postgres_bin: Option<PathBuf>,
    /// `RELANCE_PG_ARCHIVE`: the archive of server programs, where nothing can be fetched.
    pub postgres_archive: Option<PathBuf>,
    /// `RELANCE_OFFLINE` is set to something: fetch nothing. The command line may say so, too.
    pub offline: bool,
    /// Where this user's programs keep what they can fetch again: `XDG_CACHE_HOME`, else where the system has it.
    pub cache: Option<PathBuf>,
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
            postgres_bin: path("RELANCE_PG_BIN"),
            postgres_archive: path("RELANCE_PG_ARCHIVE"),
            offline: env::var_os("RELANCE_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0"),
            cache: cache(),
            path: env::split_paths(env::var_os("PATH").as_deref().unwrap_or(OsStr::new(""))).collect(),
            no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            log: env::var("RELANCE_LOG").ok(),
            user: env::var("USER").ok().filter(|user| !user.trim().is_empty()),
        }
    }
}

/// The path that a variable names; empty, it names none.
#[expect(clippy::disallowed_methods, reason = "this is the module that may")]
fn path(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Root's home is closed to the user that runs its server, so root has the cache of the system.
fn cache() -> Option<PathBuf> {
    let in_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let root = rustix::process::geteuid().is_root();
    let by_default =
        || if root { Some(PathBuf::from("/var/cache")) } else { path("HOME").map(|home| home.join(in_home)) };
    let named = path("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
    named.or_else(by_default).map(|dir| dir.join("relance"))
}
