//! The people of a simulation, from exports or copied from a database. Neither source is written to.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::args::SimulateArgs;
use crate::cli::database::Looked;
use crate::cli::table::{counted, time};
use crate::cli::{Global, database, instant};
use crate::config::Config;
use crate::core::domain::Timestamp;
use crate::facts;
use crate::facts::import;
use crate::facts::import::Report;
use crate::postgres::Server;
use crate::store::{Age, Schema, Store, UNRELEASED};

/// The opened source of the people.
#[derive(Debug)]
pub(super) enum Source {
    Exports { accounts: (PathBuf, facts::Source), referrals: (PathBuf, facts::Source) },
    Database { store: Store, _server: Option<Server> },
}

/// The start of a simulation.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) from: Timestamp,
    /// Remarks to print about the facts.
    pub(super) notes: Vec<String>,
}

/// Opens the exports or the database that the arguments name.
pub(super) async fn open(args: &SimulateArgs, global: &Global, config: &Config) -> anyhow::Result<Source> {
    if let (Some(accounts), Some(referrals)) = (&args.accounts, &args.referrals) {
        let open = |path: &PathBuf| anyhow::Ok((path.clone(), facts::Source::open(path)?));
        return Ok(Source::Exports { accounts: open(accounts)?, referrals: open(referrals)? });
    }
    let Some(Looked { store, schema, server }) = database::look(global, config, 1).await? else {
        bail!("there is nobody to simulate with: name exports by --accounts and --referrals, or import them first")
    };
    match schema {
        Schema::Present => Ok(Source::Database { store, _server: server }),
        Schema::Missing => {
            bail!("the database is empty: name exports by --accounts and --referrals, or import them first")
        }
        Schema::Older => bail!(
            "an older relancectl made the database, and a simulation changes nothing in it: any other command, such as \
             `relancectl get runs`, brings it up to date"
        ),
        Schema::Other => bail!("another version of relancectl made the database: simulate with that one"),
        Schema::Unreleased => bail!("cannot {UNRELEASED}"),
    }
}

impl Source {
    /// Fills an empty database with the facts.
    pub(super) async fn lay(self, args: &SimulateArgs, store: &Store) -> anyhow::Result<Ground> {
        let ground = match self {
            Self::Exports { accounts, referrals } => exports(args, store, accounts, referrals).await?,
            Self::Database { store: original, .. } => copied(args, &original, store).await?,
        };
        if store.account_names().await?.is_empty() {
            bail!("there is not one account to simulate with");
        }
        Ok(ground)
    }
}

async fn exports(
    args: &SimulateArgs,
    store: &Store,
    accounts: (PathBuf, facts::Source),
    referrals: (PathBuf, facts::Source),
) -> anyhow::Result<Ground> {
    let (now, _) = store.now().await?;
    let from = begin(args, now)?;
    // Exports can contain facts later than the start of a simulation of the past.
    let age = Age { as_of: now.max(from), now: now.max(from) };
    let mut notes = Vec::new();
    let mut note = |what: &str, path: &Path, report: &Report| {
        let refused = i64::try_from(report.rejected_rows()).unwrap_or(i64::MAX);
        if refused > 0 {
            let rows = counted(refused, "row");
            let path = path.display();
            notes.push(format!("{rows} of `{path}` could not be read; `relancectl import {what} {path}` says why."));
        }
    };
    note("accounts", &accounts.0, &import::accounts(store, accounts.1, age).await?);
    note("referrals", &referrals.0, &import::referrals(store, referrals.1, age).await?);
    let later = store.facts_after(from).await?;
    if later != (0, 0) {
        let count = |n: u64, noun| counted(i64::try_from(n).unwrap_or(i64::MAX), noun);
        let (registrations, payments) = (count(later.0, "registration"), count(later.1, "payment"));
        notes.push(format!(
            "The exports know of {registrations} and {payments} after the start; they count from the beginning."
        ));
    }
    Ok(Ground { from, notes })
}

async fn copied(args: &SimulateArgs, original: &Store, store: &Store) -> anyhow::Result<Ground> {
    let (now, _) = original.now().await?;
    let from = begin(args, now)?;
    if from < now {
        let (from, now) = (time(from), time(now));
        bail!(
            "--from {from} is over: the database says how things are at {now}; exports can be simulated from any time"
        );
    }
    original.copy_world(store).await?;
    original.close().await;
    Ok(Ground { from, notes: Vec::new() })
}

/// Returns the instant of `--from`, else now.
fn begin(args: &SimulateArgs, now: Timestamp) -> anyhow::Result<Timestamp> {
    let Some(text) = &args.from else { return Ok(now) };
    instant::parse(text).with_context(|| format!("--from `{text}`"))
}
