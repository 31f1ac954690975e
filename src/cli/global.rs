//! Options that every command takes.

use std::path::PathBuf;

/// What every command takes.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Postgres to use; without it relance keeps one of its own under `.relance/`
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Manifests to read, repeatable [default: campaigns, templates]
    #[arg(long = "dir", global = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// Fetch no PostgreSQL from the internet where none is installed; `RELANCE_OFFLINE=1` does the same
    #[arg(long, global = true)]
    pub offline: bool,
}

impl Global {
    /// The database that was named; a variable that is set to nothing names none.
    pub(super) fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref().filter(|url| !url.is_empty())
    }

    /// Where the manifests are.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        crate::source::roots(&self.dirs)
    }
}
