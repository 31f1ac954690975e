//! The database of a command: the one that was named, else the private one.

use std::env;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use super::{Global, print, server_programs};
use crate::config::Config;
use crate::postgres as embedded;
use crate::postgres::{Durability, GRACE, Options, Server, Started};
use crate::store::{Schema, Store};

/// The folder of the private server, below the working directory.
pub(super) const DIR: &str = ".relance/postgres";
/// The folder of the server for databases to throw away, beside it.
const SCRATCH_DIR: &str = ".relance/scratch";

/// Who tests tends to test again soon.
const SCRATCH_GRACE: Duration = Duration::from_secs(30);

/// An open store and, if it is in the private server, what keeps that one running.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) store: Store,
    pub(super) server: Option<Server>,
}

impl Database {
    /// Opens the database, starting the private server if need be and saying so.
    pub(super) async fn open(global: &Global, config: &Config, connections: u32) -> anyhow::Result<Self> {
        let server = if global.database_url().is_none() { Some(private(config).await?) } else { None };
        let url = server
            .as_ref()
            .map(|server| server.url(embedded::DATABASE))
            .or_else(|| global.database_url().map(str::to_owned));
        let url = url.expect("either a URL was given or a server was started");
        let store = Store::open(&url, connections).await?;
        Ok(Self { store, server })
    }

    /// For what is meant for real people: a demo's database has its own clock and is thrown away by the next demo.
    pub(super) async fn refuse_demo(&self) -> anyhow::Result<()> {
        if self.store.is_demo().await? {
            bail!("the database here is what a demo left: begin with an empty one by `relancectl db reset`");
        }
        Ok(())
    }

    /// Ends well: closes the connections and, unless other commands use it, stops the private server. For commands
    /// after which the system may kill what they leave behind, as the daemon; others just drop this.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        if let Some(server) = self.server {
            tokio::task::spawn_blocking(|| server.close()).await??;
        }
        Ok(())
    }
}

/// A database that is only read, whatever version made it.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) store: Store,
    pub(super) schema: Schema,
    /// What keeps it running, if it is the private one.
    pub(super) server: Option<Server>,
}

/// Connects to the database in order to read it; `None` when none was named and there is no private one.
pub(super) async fn look(global: &Global, config: &Config, connections: u32) -> anyhow::Result<Option<Looked>> {
    let (url, server) = match global.database_url() {
        Some(url) => (url.to_owned(), None),
        None if Server::status(Path::new(DIR))?.major.is_none() => return Ok(None),
        None => {
            let server = private(config).await?;
            (server.url(embedded::DATABASE), Some(server))
        }
    };
    let (store, schema) = Store::look_at(&url, connections).await?;
    Ok(Some(Looked { store, schema, server }))
}

/// Finds or starts the private server, telling the user in one line if it was started.
pub(super) async fn private(config: &Config) -> anyhow::Result<Server> {
    start(options(config, DIR, Durability::Full)?).await
}

/// As [`private`], for what may be lost with the machine.
pub(super) async fn disposable(config: &Config) -> anyhow::Result<Server> {
    let options = options(config, SCRATCH_DIR, Durability::Disposable)?;
    start(Options { grace: SCRATCH_GRACE, ..options }).await
}

async fn start(options: Options) -> anyhow::Result<Server> {
    let (server, started) = tokio::task::spawn_blocking(move || Server::start(&options)).await??;
    match started {
        Started::Found => {}
        Started::Now { .. } => print::note(&started.to_string()),
    }
    Ok(server)
}

fn options(config: &Config, dir: &str, durability: Durability) -> anyhow::Result<Options> {
    Ok(Options {
        dir: dir.into(),
        keeper_program: env::current_exe().context("cannot find this program's own file")?,
        search: server_programs::search(config),
        grace: GRACE,
        durability,
    })
}
