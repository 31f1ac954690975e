//! Databases for commands that play something through: in a server of their own, thrown away at the end.

use anyhow::anyhow;

use super::database;
use crate::config::Config;
use crate::store::Store;
use crate::store::embedded::Scratch;

/// Finds or starts the server for databases to throw away, and has its template ready.
pub(super) async fn prepare(config: &Config) -> anyhow::Result<Scratch> {
    Ok(Scratch::prepare(database::disposable(config).await?).await?)
}

/// Lends `work` a database, migrated and empty, and drops it afterwards: also when `work` fails, or when Ctrl-C ends it.
/// What a process leaves behind that is killed is dropped by the next one that comes.
pub(super) async fn lend<T>(
    scratch: &Scratch,
    connections: u32,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let name = scratch.create().await?;
    let url = scratch.url(&name);
    let result = tokio::select! {
        result = borrowed(&url, connections, work) => result,
        signal = tokio::signal::ctrl_c() => match signal {
            Ok(()) => Err(anyhow!("interrupted")),
            Err(error) => Err(error.into()),
        },
    };
    let removed = scratch.remove(&name).await;
    let value = result?;
    removed?;
    Ok(value)
}

async fn borrowed<T>(
    url: &str,
    connections: u32,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let store = Store::open(url, connections).await?;
    let result = work(&store).await;
    store.close().await;
    result
}
