//! `relancectl run --demo`: everything fresh, invented people, no message leaves the house.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::database::{self, Database};
use super::run::samples;
use super::{Global, print};
use crate::config::Config;
use crate::domain::Timestamp;
use crate::facts::Source;
use crate::manifest::desired::Channel;
use crate::store::embedded::{self, Server};
use crate::store::{Age, Speed, Store};
use crate::{import, manifest, source};

/// A week in 168 seconds.
const SPEED: Speed = Speed(3_600.0);

/// Makes the database of the demo anew and fills it.
pub(super) async fn prepare(
    global: &Global,
    config: &Config,
    directories: &[PathBuf],
    connections: u32,
) -> anyhow::Result<Database> {
    if global.database_url.is_some() {
        bail!("--demo begins with an empty database and uses the private Postgres only: leave --database-url out");
    }
    only_sandbox(directories)?;
    let server = database::private(config).await?;
    let store = empty(&server, connections).await?;
    // A Monday morning in Douala, a day after the last sample member registered.
    let start: Timestamp = "2026-11-30T07:00:00Z".parse().context("the demo's clock")?;
    store.set_clock(start, SPEED).await?;
    let [accounts, referrals] = samples();
    let age = Age { as_of: start, now: start };
    for (path, what) in [(&accounts, "accounts"), (&referrals, "referrals")] {
        let source = Source::open(path).context("the demo reads the sample members from `samples/`")?;
        let report = match what {
            "accounts" => import::accounts(&store, source, age).await?,
            _ => import::referrals(&store, source, age).await?,
        };
        let (taken, refused) = (report.inserted, report.rejected.len());
        print::note(&format!("demo: imported {taken} {what} from {}, refused {refused}", path.display()));
    }
    print::note("demo: one hour passes each second; look on with `relancectl get messages --watch`");
    Ok(Database { store, server: Some(server) })
}

/// Refuses a tree that could send anything for real.
fn only_sandbox(directories: &[PathBuf]) -> anyhow::Result<()> {
    let checked = manifest::check(&source::load(directories)?);
    for (name, channel) in &checked.desired.channels {
        match channel {
            Channel::Sandbox { .. } => tracing::debug!(channel.name = %name, "only a sandbox"),
        }
    }
    Ok(())
}

/// Drops what an earlier demo left and makes the database again.
async fn empty(server: &Server, connections: u32) -> anyhow::Result<Store> {
    let url = server.url(embedded::DATABASE);
    if Store::holds_real_data(&url).await? {
        bail!(
            "the private Postgres of this folder holds real data, which --demo would throw away: run the demo in another folder"
        );
    }
    server.drop_database(embedded::DATABASE).await?;
    server.create_database(embedded::DATABASE, None).await?;
    Ok(Store::open(&url, connections).await?)
}
