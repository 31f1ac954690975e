//! The command line: one file a command. Errors meet the user here and nowhere else.

mod exit;
mod import;
mod print;
mod version;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use self::exit::Exit;

/// Follow-up campaigns from files: exact sending, honest plans.
#[derive(Debug, Parser)]
#[command(name = "relancectl", version, about, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Postgres to use; without it relance keeps one of its own under `.relance/`
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Manifests to read, repeatable [default: campaigns, templates]
    #[arg(long = "dir", global = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read accounts or referrals from an export
    Import(import::Import),
    /// Print the version and what it was built with
    Version,
}

/// Runs one command line and says how the process should end.
pub async fn run(cli: Cli) -> Exit {
    let result = match cli.command {
        Command::Import(import) => import::run(&cli.global, import).await,
        Command::Version => version::run(),
    };
    result.unwrap_or_else(|error| {
        print::error(&error);
        Exit::Environment
    })
}
