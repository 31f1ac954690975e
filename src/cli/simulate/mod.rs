//! `relancectl simulate`: the files played through on a virtual clock, on a copy of the facts.

mod chart;
mod compare_text;
mod facts;
mod progress;
mod text;
mod tree;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use self::facts::Ground;
use self::tree::Tree;
use super::{Exit, Global, print, scratch, validate};
use crate::config::Config;
use crate::store::Store;
use crate::time_machine::compare::{Comparison, Side, compare};
use crate::time_machine::report::Report;
use crate::time_machine::{PAYS_WITHIN_HOURS, Rates, STOPS_WITHIN_HOURS, Settings, page, simulate};

/// Connections to a simulated database: one works, and one counts.
const CONNECTIONS: u32 = 2;

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// An export of accounts to simulate with, CSV or NDJSON, instead of a database
    #[arg(long, value_name = "FILE", requires = "referrals")]
    accounts: Option<PathBuf>,
    /// An export of referrals, with --accounts
    #[arg(long, value_name = "FILE", requires = "accounts")]
    referrals: Option<PathBuf>,
    /// Where to begin: RFC 3339, or a date for its first instant in UTC [default: now, by the database's clock]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How many days to play through
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    days: u32,
    /// The same seed gives the same report
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Share of the hand-overs that are refused for good, such as `0.01` or `1%`
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    failure_rate: f64,
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, help = paid_help())]
    paid_rate: f64,
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, help = stop_help())]
    stop_rate: f64,
    /// Also simulate the files of a git commit, or of another directory, and show what the edit changes
    #[arg(long, value_name = "REF|DIR")]
    compare: Option<String>,
    /// How to report
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// Write the report to this file instead of the terminal
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn paid_help() -> String {
    format!("Share of the messages after which the person pays, 1 to {PAYS_WITHIN_HOURS} hours later")
}

fn stop_help() -> String {
    format!("Share of the messages that the person answers with STOP, 1 to {STOPS_WITHIN_HOURS} hours later")
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, in the terminal
    #[default]
    Text,
    /// Everything, for programs
    Json,
    /// One page with plots, for a browser
    Html,
}

/// A share from 0 to 1, as such or in percent.
fn share(text: &str) -> Result<f64, String> {
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent.trim_end(), 100.0));
    let share = number.parse::<f64>().map(|number| number / whole);
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("`{text}` is not a share: write a number from 0 to 1, such as `0.02`, or `2%`"))
}

/// One tree was simulated, or two.
#[derive(Debug)]
enum Outcome {
    One(Box<Report>),
    Two(Box<Comparison>),
}

pub(super) async fn run(args: &SimulateArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let (here, other) = Tree::here_and(args.compare.as_deref(), global)?;
    for tree in [Some(&here), other.as_ref()].into_iter().flatten() {
        if tree.checked.has_errors() {
            match args.output {
                Format::Json => print::line(&validate::json_of(&tree.checked)?),
                Format::Text | Format::Html => validate::show(&tree.sources, &tree.checked, config),
            }
            print::note(&format!("nothing is simulated: the files {} have errors", tree.place));
            return Ok(Exit::Findings);
        }
    }
    let source = facts::open(args, global, config).await?;
    let scratch = scratch::prepare(config).await?;
    let databases = 1 + usize::from(other.is_some());
    let outcome = scratch::lend(&scratch, databases, CONNECTIONS, async |stores| {
        let ground = source.lay(args, &stores[0]).await?;
        if let (Some(other), [store, copy]) = (&other, stores) {
            let comparison = Box::pin(both(args, [other, &here], [copy, store], &ground)).await?;
            return Ok(Outcome::Two(Box::new(comparison)));
        }
        let report = Box::pin(play(args, &here, &stores[0], &ground, &progress::one(args.days))).await?;
        Ok(Outcome::One(Box::new(report)))
    })
    .await?;
    let text = render(&outcome, args, config)?;
    match &args.out {
        Some(path) => {
            fs::write(path, text + "\n").with_context(|| format!("cannot write `{}`", path.display()))?;
            print::note(&format!("simulate: wrote `{}`", path.display()));
        }
        None => print::line(&text),
    }
    Ok(Exit::Fine)
}

async fn play(
    args: &SimulateArgs,
    tree: &Tree,
    store: &Store,
    ground: &Ground,
    bar: &progress::Bar,
) -> anyhow::Result<Report> {
    let rates = Rates { failure: args.failure_rate, paid: args.paid_rate, stop: args.stop_rate };
    let settings = Settings { from: ground.from, days: args.days, seed: args.seed, rates };
    let mut report = simulate(store, &tree.sources, &settings, |progress| bar.show(&settings, progress)).await?;
    bar.end();
    report.notes.splice(..0, ground.notes.iter().cloned());
    Ok(report)
}

/// Both trees at the same time, each on its own copy of the same facts; the second database has them.
async fn both(
    args: &SimulateArgs,
    [before, after]: [&Tree; 2],
    [copy, store]: [&Store; 2],
    ground: &Ground,
) -> anyhow::Result<Comparison> {
    store.copy_world(copy).await?;
    let [first, second] = progress::two(args.days, [&before.name, &after.name]);
    let (b, a) = tokio::try_join!(play(args, before, copy, ground, &first), play(args, after, store, ground, &second))?;
    let side = |tree: &Tree, report| Side { name: tree.name.clone(), report };
    Ok(compare(side(before, b), side(after, a)))
}

fn render(outcome: &Outcome, args: &SimulateArgs, config: &Config) -> anyhow::Result<String> {
    let colour = print::colour(config) && args.out.is_none();
    Ok(match (args.output, outcome) {
        (Format::Text, Outcome::One(report)) => text::render(report, colour),
        (Format::Text, Outcome::Two(comparison)) => compare_text::render(comparison, colour),
        (Format::Json, Outcome::One(report)) => serde_json::to_string_pretty(report)?,
        (Format::Json, Outcome::Two(comparison)) => serde_json::to_string_pretty(comparison)?,
        (Format::Html, Outcome::One(report)) => page::report(report),
        (Format::Html, Outcome::Two(comparison)) => page::comparison(comparison),
    })
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
