//! The log: one line per event, on standard error.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// The filter when `RELANCE_LOG` is not set.
const USUAL: &str = "info,sqlx=warn";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// Starts the log of a daemon, filtered by `RELANCE_LOG`.
pub(super) fn start(config: &Config, format: Format) {
    let filter = config.log.as_deref().unwrap_or(USUAL);
    let filter = EnvFilter::builder().parse_lossy(filter);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let started = match format {
        Format::Text => builder.with_ansi(io::stderr().is_terminal() && !config.no_color).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    // This fails only at a second start in one process; the first log then stays active.
    drop(started);
}
