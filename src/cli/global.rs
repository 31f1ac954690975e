//! The options that every command takes.

use std::path::PathBuf;

/// The options that every command takes.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Postgres to use; without it, relance runs a private server under `.relance/`
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Directory of manifests, repeatable [default: campaigns, templates]
    #[arg(long = "dir", global = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// Never download PostgreSQL where none is installed; `RELANCE_OFFLINE=1` does the same
    #[arg(long, global = true)]
    pub offline: bool,
}

impl Global {
    /// Returns the URL of the database that was named; an empty variable names none.
    pub(super) fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref().filter(|url| !url.is_empty())
    }

    /// Returns the directories of the manifests.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        crate::source::roots(&self.dirs)
    }
}
