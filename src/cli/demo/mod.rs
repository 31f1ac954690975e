//! `relancectl run --demo`: a fresh database of invented people, from which no message leaves the machine.

pub(super) mod whatsapp;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::database;
use super::database::Database;
use super::{Global, print, validate};
use crate::config::Config;
use crate::core::domain::Timestamp;
use crate::core::manifest;
use crate::core::manifest::desired::Channel;
use crate::facts::Source;
use crate::facts::import;
use crate::facts::import::Report;
use crate::postgres as embedded;
use crate::postgres::Server;
use crate::source;
use crate::store::{Age, Contents, Speed, Store};

/// The exports of invented accounts and referrals.
const SAMPLES: [&str; 2] = ["samples/accounts.csv", "samples/referrals.csv"];
/// One week takes 168 seconds.
const SPEED: Speed = Speed(3_600.0);

/// The channel that a demo uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Demo {
    /// Messages stay in Postgres
    Sandbox,
    /// The WhatsApp Cloud API, served by a fake in this process: with answers, receipts and failures
    Whatsapp,
}

/// Recreates the database of the demo and fills it with the samples.
pub(super) async fn prepare(
    global: &Global,
    config: &Config,
    directories: &[PathBuf],
    connections: u32,
) -> anyhow::Result<Database> {
    if global.database_url().is_some() {
        bail!("--demo begins with an empty database and uses the private Postgres only: leave --database-url out");
    }
    // Everything that can be missing is checked before any data is dropped.
    let [accounts, referrals] = SAMPLES.map(|path| {
        Source::open(Path::new(path))
            .context("the demo lives on `campaigns/`, `templates/` and `samples/` of the repository: run it there")
    });
    let (accounts, referrals) = (accounts?, referrals?);
    only_sandbox(directories, config)?;
    let server = database::private(config).await?;
    let store = empty(&server, connections).await?;
    // A Monday morning in Douala, one day after the last sample member registered.
    let start: Timestamp = "2026-11-30T07:00:00Z".parse().context("the demo's clock")?;
    store.set_clock(start, SPEED).await?;
    let age = Age { as_of: start, now: start };
    imported("accounts", &import::accounts(&store, accounts, age).await?);
    imported("referrals", &import::referrals(&store, referrals, age).await?);
    print::note("demo: one hour passes each second; look on with `relancectl get messages --watch`");
    Ok(Database { store, server: Some(server) })
}

fn imported(what: &str, report: &Report) {
    let (taken, refused) = (report.inserted, report.rejected_rows());
    print::note(&format!("demo: imported {taken} {what} from `samples/`, refused {refused}"));
}

/// Refuses a tree whose channels could send real messages.
fn only_sandbox(directories: &[PathBuf], config: &Config) -> anyhow::Result<()> {
    let sources = source::load(directories)?;
    let checked = manifest::check(&sources);
    if checked.has_errors() {
        validate::show(&sources, &checked, config);
        bail!("the demo begins with manifests that have no errors");
    }
    for (name, channel) in &checked.desired.channels {
        match channel {
            Channel::Sandbox { .. } => {}
            Channel::WhatsappCloud(_) | Channel::Http(_) | Channel::Smtp(_) => {
                bail!("the demo sends nothing real, and the channel `{name}` would: leave it out, or make it a sandbox")
            }
        }
    }
    Ok(())
}

/// Drops the database of an earlier demo and creates it again.
async fn empty(server: &Server, connections: u32) -> anyhow::Result<Store> {
    let url = server.url(embedded::DATABASE);
    if Store::contents(&url).await? == Contents::RealData {
        bail!("the private Postgres of this folder holds real data: run the demo in another folder");
    }
    server.drop_database(embedded::DATABASE).await?;
    server.create_database(embedded::DATABASE, None).await?;
    let store = Store::open(&url, connections).await?;
    store.mark_as_demo().await?;
    Ok(store)
}
