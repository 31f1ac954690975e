//! `relancectl`: see the library's documentation and `relancectl --help`.

use clap::Parser;
use relance::cli;
use relance::cli::{Cli, Exit};

#[tokio::main]
async fn main() -> Exit {
    cli::run(Cli::parse()).await
}
