//! `relancectl db`: controls the private Postgres server.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process;

use anyhow::{Context, bail};
use clap::Subcommand;
use tokio::task::spawn_blocking;

use super::{Exit, Global, database, print, server_programs};
use crate::config::Config;
use crate::postgres as embedded;
use crate::postgres::{Fetched, GRACE, Server, Status, Stop};
use crate::store::{Contents, Store};

#[derive(Debug, Subcommand)]
pub enum Db {
    /// Print a URL for psql and other programs, starting the server if necessary
    Url,
    /// Open a session with psql, starting the server if necessary
    Psql {
        /// Arguments passed on to psql
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Download the server programs now; other commands do so when none are installed
    Install,
    /// Stop the server, unless another command uses it
    Stop,
    /// Delete the database and create an empty one
    Reset {
        /// Delete real data too
        #[arg(long)]
        yes: bool,
    },
    /// Show the location of the server and whether it runs
    Status,
}

pub(super) async fn run(command: Db, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    if global.database_url().is_some() {
        bail!("`db` is about the private Postgres, but --database-url or DATABASE_URL names another database");
    }
    match command {
        Db::Url => url(config).await,
        Db::Psql { args } => psql(config, &args).await,
        Db::Install => install(config).await,
        Db::Stop => stop(),
        Db::Reset { yes } => reset(config, yes).await,
        Db::Status => status(),
    }
}

async fn url(config: &Config) -> anyhow::Result<Exit> {
    let server = database::private(config).await?;
    print::line(&server.url(embedded::DATABASE));
    let grace = GRACE.as_secs();
    print::note(&format!("postgres: stops {grace} seconds after its last command or connection"));
    Ok(Exit::Fine)
}

/// Replaces this process with psql, whose connection then keeps the server running.
async fn psql(config: &Config, args: &[String]) -> anyhow::Result<Exit> {
    let program = server_programs::search(config)
        .program("psql", Path::new(database::DIR))
        .context("no `psql` on this machine")?;
    let server = database::private(config).await?;
    let failed = process::Command::new(&program).arg(server.url(embedded::DATABASE)).args(args).exec();
    Err(failed).with_context(|| format!("cannot run {}", program.display()))
}

async fn install(config: &Config) -> anyhow::Result<Exit> {
    let search = server_programs::search(config);
    let fetch = search.fetch.clone();
    let Fetched { bin, is_new } = spawn_blocking(move || fetch.install(Path::new(database::DIR))).await??;
    let what = if is_new { "fetched the server programs into" } else { "the server programs are in" };
    print::line(&format!("postgres: {what} {}", bin.display()));
    if let Some(preferred) = search.preferred() {
        print::note(&format!("postgres: those in {} are preferred", preferred.display()));
    }
    Ok(Exit::Fine)
}

fn stop() -> anyhow::Result<Exit> {
    match Server::stop(Path::new(database::DIR))? {
        Stop::Stopped => print::line("postgres: stopped"),
        Stop::WasNotRunning => print::line("postgres: was not running"),
        Stop::InUse => bail!("another relancectl uses the private Postgres: stop that one first"),
    }
    Ok(Exit::Fine)
}

async fn reset(config: &Config, yes: bool) -> anyhow::Result<Exit> {
    if Server::status(Path::new(database::DIR))?.in_use {
        bail!("another relancectl uses the private Postgres: stop that one first");
    }
    if yes {
        spawn_blocking(|| Server::take_over(Path::new(database::DIR))).await??;
    }
    let server = database::private(config).await?;
    if !yes && Store::contents(&server.url(embedded::DATABASE)).await? == Contents::RealData {
        bail!("the database holds real data; if all of it may go, say `relancectl db reset --yes`");
    }
    server.drop_database(embedded::DATABASE).await?;
    server.create_database(embedded::DATABASE, None).await?;
    print::line("postgres: the database is empty");
    Ok(Exit::Fine)
}

fn status() -> anyhow::Result<Exit> {
    let Status { dir, major, pid, in_use } = Server::status(Path::new(database::DIR))?;
    let dir = dir.display();
    let what = major.map_or_else(|| "nothing yet".to_owned(), |major| format!("PostgreSQL {major}"));
    let state = match pid {
        Some(pid) if in_use => format!("running as process {pid}, in use"),
        Some(pid) => format!("running as process {pid}, not in use"),
        None => "not running".to_owned(),
    };
    print::line(&format!("postgres: {what} in {dir}, {state}"));
    Ok(Exit::Fine)
}
