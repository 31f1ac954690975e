//! The log: one line an event, on standard error.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// Without `RELANCE_LOG`.
const USUAL: &str = "info,sqlx=warn";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// Starts the log of a daemon; `RELANCE_LOG` says how much of it.
pub(super) fn start(config: &Config, format: Format) {
    let filter = config.log.as_deref().unwrap_or(USUAL);
    let filter = EnvFilter::builder().parse_lossy(filter);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let started = match format {
        Format::Text => builder.with_ansi(io::stderr().is_terminal() && !config.no_color).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    // Only a second start in one process can fail; the first one goes on.
    drop(started);
}
