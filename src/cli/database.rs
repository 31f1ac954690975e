//! The database of a command: the one named by its URL, else the private one.

use std::env;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::{Global, print, server_programs, workspace};
use crate::config::Config;
use crate::postgres as embedded;
use crate::postgres::{Durability, GRACE, Options, Server, Started};
use crate::store::{Schema, Store};

/// The folder of the private server, relative to the working directory.
pub(super) const DIR: &str = ".relance/postgres";
/// The folder of the server for temporary databases, beside the private one.
const SCRATCH_DIR: &str = ".relance/scratch";

/// The scratch server stays up this long because tests are often run again soon.
const SCRATCH_GRACE: Duration = Duration::from_secs(30);

/// An open store, with the handle that keeps the private server running if the store is in it.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) store: Store,
    pub(super) server: Option<Server>,
}

impl Database {
    /// Opens the database. Starts the private server if necessary, and prints a line when it does.
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

    /// Refuses a demo's database for work with real people: its clock is not real, and the next demo drops it.
    pub(super) async fn refuse_demo(&self) -> anyhow::Result<()> {
        if self.store.is_demo().await? {
            bail!("the database here is what a demo left: begin with an empty one by `relancectl db reset`");
        }
        Ok(())
    }

    /// Closes the connections and stops the private server unless other commands use it. The daemon needs this, because
    /// the system may kill what it leaves behind. Other commands just drop the value.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        if let Some(server) = self.server {
            tokio::task::spawn_blocking(|| server.close()).await??;
        }
        Ok(())
    }
}

/// A database opened only for reading, whatever version of relance created it.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) store: Store,
    pub(super) schema: Schema,
    /// The handle that keeps the private server running, if the database is in it.
    pub(super) server: Option<Server>,
}

/// Connects to the database for reading. Returns `None` when no URL was given and no private database exists.
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

/// Finds or starts the private server, and prints a line when it starts one.
pub(super) async fn private(config: &Config) -> anyhow::Result<Server> {
    let server = start(options(config, DIR, Durability::Full)?).await?;
    workspace::close()?;
    Ok(server)
}

/// Does the same as [`private`], for data that may be lost in a crash of the machine.
pub(super) async fn disposable(config: &Config) -> anyhow::Result<Server> {
    let mut options = options(config, SCRATCH_DIR, Durability::Disposable)?;
    let is_here = workspace::may_be_written();
    if !is_here {
        let temporary = &config.temporary;
        let nowhere = || format!("this folder cannot be written, and neither can {}", temporary.display());
        options.dir = workspace::elsewhere(temporary).with_context(nowhere)?;
    }
    let place = options.dir.clone();
    let server =
        start(Options { grace: SCRATCH_GRACE, ..options }).await.map_err(|error| match error.downcast_ref() {
            // The advice to name a database would not help: these databases are never in one that was named.
            Some(embedded::Error::NamelessUser { uid }) => anyhow!(nameless(*uid)),
            _ if is_here => error,
            _ => error.context(format!("no server for temporary databases in {}", place.display())),
        })?;
    if is_here {
        workspace::close()?;
    }
    Ok(server)
}

/// Returns what a user without an entry in the user database can do.
fn nameless(uid: u32) -> String {
    format!(
        "user {uid} has no entry in the user database, without which PostgreSQL cannot make a cluster\n  \
         add one: echo 'relance:x:{uid}:0::/tmp:/sbin/nologin' >> /etc/passwd\n  \
         or allow user namespaces and install `unshare` (util-linux), with which relance does without"
    )
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
