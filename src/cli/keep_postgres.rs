//! `relancectl keep-postgres`: the background process that keeps a private Postgres running; not for users.

use std::path::PathBuf;
use std::time::Duration;

use super::Exit;
use crate::postgres::{Durability, Keeper};

#[derive(Debug, clap::Args)]
pub struct KeepPostgres {
    /// Folder of the server
    #[arg(long)]
    folder: PathBuf,
    /// Folder of the server programs
    #[arg(long)]
    bin: PathBuf,
    /// How long to wait for the next user, in milliseconds
    #[arg(long)]
    grace_ms: u64,
    /// Trade durability for speed, for tests
    #[arg(long)]
    disposable: bool,
}

pub(super) async fn run(command: KeepPostgres) -> anyhow::Result<Exit> {
    let KeepPostgres { folder, bin, grace_ms, disposable } = command;
    let durability = if disposable { Durability::Disposable } else { Durability::Full };
    Keeper { dir: folder, bin, grace: Duration::from_millis(grace_ms), durability }.keep().await?;
    Ok(Exit::Fine)
}
