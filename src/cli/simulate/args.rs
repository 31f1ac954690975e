//! The arguments of `relancectl simulate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::time_machine::{PAYS_WITHIN_HOURS, STOPS_WITHIN_HOURS};

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Export of accounts to simulate with, CSV or NDJSON, instead of a database
    #[arg(long, value_name = "FILE", requires = "referrals")]
    pub(super) accounts: Option<PathBuf>,
    /// Export of referrals, with --accounts
    #[arg(long, value_name = "FILE", requires = "accounts")]
    pub(super) referrals: Option<PathBuf>,
    /// Start of the simulation: RFC 3339, or a date for its first instant in UTC [default: now, by the database's
    /// clock]
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// Number of days to simulate
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) days: u32,
    /// Random seed: the same seed gives the same report
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Share of hand-overs refused permanently, such as `0.01` or `1%`
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(super) failure_rate: f64,
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, help = paid_help())]
    pub(super) paid_rate: f64,
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, help = stop_help())]
    pub(super) stop_rate: f64,
    /// Also simulate the files of a git commit or another directory, and show the effect of the edit
    #[arg(long, value_name = "REF|DIR")]
    pub(super) compare: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Format,
    /// Write the report to this file instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

fn paid_help() -> String {
    format!("Share of the messages after which the person pays, 1 to {PAYS_WITHIN_HOURS} hours later")
}

fn stop_help() -> String {
    format!("Share of the messages that the person answers with STOP, 1 to {STOPS_WITHIN_HOURS} hours later")
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people, in the terminal
    #[default]
    Text,
    /// Everything, for programs
    Json,
    /// One page with plots, for a browser
    Html,
}

/// Parses a share from 0 to 1, as a number or in percent.
fn share(text: &str) -> Result<f64, String> {
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent.trim_end(), 100.0));
    let share = number.parse::<f64>().map(|number| number / whole);
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("`{text}` is not a share: write a number from 0 to 1, such as `0.02`, or `2%`"))
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_numbers_or_percent() {
        let shares = ["0", "1", "0.02", "2%", "2 %", "100%"].map(share);
        assert_eq!(shares, [0.0, 1.0, 0.02, 0.02, 0.02, 1.0].map(Ok));
        for bad in ["", "-0.1", "1.1", "101%", "NaN", "two"] {
            assert!(share(bad).unwrap_err().contains("`2%`"), "{bad}");
        }
    }
}
