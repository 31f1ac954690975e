//! Temporary databases for commands that simulate, in a server of their own.

use anyhow::anyhow;

use super::database;
use crate::config::Config;
use crate::postgres::Scratch;
use crate::store::{MIGRATOR, Store};

/// Finds or starts the server for temporary databases, and prepares its template.
pub(super) async fn prepare(config: &Config) -> anyhow::Result<Scratch> {
    Ok(Scratch::prepare(database::disposable(config).await?, &MIGRATOR).await?)
}

/// Lends `work` this many databases, migrated and empty. Drops them afterwards, even when `work` fails or Ctrl-C ends
/// it. The next process drops the databases of a killed one.
pub(super) async fn lend<T>(
    scratch: &Scratch,
    databases: usize,
    connections: u32,
    work: impl AsyncFnOnce(&[Store]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut names = Vec::new();
    let result = tokio::select! {
        result = borrowed(scratch, &mut names, databases, connections, work) => result,
        signal = tokio::signal::ctrl_c() => match signal {
            Ok(()) => Err(anyhow!("interrupted")),
            Err(error) => Err(error.into()),
        },
    };
    let mut removed = Ok(());
    for name in &names {
        removed = removed.and(scratch.remove(name).await);
    }
    let value = result?;
    removed?;
    Ok(value)
}

async fn borrowed<T>(
    scratch: &Scratch,
    names: &mut Vec<String>,
    databases: usize,
    connections: u32,
    work: impl AsyncFnOnce(&[Store]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut stores = Vec::new();
    for _ in 0..databases {
        let name = scratch.create().await?;
        let url = scratch.url(&name);
        names.push(name);
        stores.push(Store::open(&url, connections).await?);
    }
    let result = work(&stores).await;
    for store in stores {
        store.close().await;
    }
    result
}
