//! `relancectl keep-postgres`: what runs in the background while there is a private Postgres. Not for people.

use std::path::PathBuf;
use std::time::Duration;

use super::Exit;
use crate::postgres::{Durability, Keeper};

#[derive(Debug, clap::Args)]
pub struct KeepPostgres {
    /// The folder of the server
    #[arg(long)]
    folder: PathBuf,
    /// The folder of the server programs
    #[arg(long)]
    bin: PathBuf,
    /// For how long it waits for the next user
    #[arg(long)]
    grace_ms: u64,
    /// Trade safety for speed: for tests
    #[arg(long)]
    disposable: bool,
}

pub(super) async fn run(command: KeepPostgres) -> anyhow::Result<Exit> {
    let KeepPostgres { folder, bin, grace_ms, disposable } = command;
    let durability = if disposable { Durability::Disposable } else { Durability::Full };
    Keeper { dir: folder, bin, grace: Duration::from_millis(grace_ms), durability }.keep().await?;
    Ok(Exit::Fine)
}
