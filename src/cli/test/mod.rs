//! `relancectl test`: runs the `CampaignTest` manifests of a tree, each in an isolated world.
//!
//! `-o json` is a contract:
//!
//! ```text
//! {"ok": bool, "tests": n, "passed": n, "failed": n,
//!  "results": [{"name", "file", "line", "ok",
//!               "failures": [{"message", "expected", "found", "file", "line", "column", "pointer",
//!                             "events": [{"subject", "at", "event"}]}]}]}
//! ```
//!
//! `expected` is the expectation of the test: a row, a list of rows, a number or a sentence. `found` has the nearest
//! rows, or the number. Both are null when a step could not be done. `at` is null for the final state. A tree with
//! errors is not tested: its findings are printed as by `validate`.

mod json;
mod junit;
mod ran;
mod select;
mod text;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use std::{num::NonZero, thread};

use anyhow::Context;
use clap::ValueEnum;
use futures_util::stream::{self, StreamExt};

use self::ran::Ran;
use super::{Exit, Global, print, scratch, validate};
use crate::config::Config;
use crate::core::manifest::Draft;
use crate::core::manifest::testcase::CampaignTest;
use crate::postgres::Scratch;
use crate::time_machine::test;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and directories to take tests from [default: the tree itself]; the tree under test is always `--dir`
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Run only the test of this name; `*` stands for any characters, as in `*-leave`
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For CI: the XML that GitLab, GitHub and Jenkins read
    Junit,
}

pub(super) async fn run(args: &Args, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let selection = select::select(&global.directories(), &args.paths, args.run.as_deref())?;
    if selection.checked.has_errors() {
        match args.output {
            Output::Text => validate::show(&selection.sources, &selection.checked, config),
            Output::Json => print::line(&validate::json_of(&selection.checked)?),
            Output::Junit => print::line(&junit::invalid(&selection.checked)),
        }
        return Ok(Exit::Findings);
    }
    let scratch = Arc::new(scratch::prepare(config).await?);
    let tree = Arc::new(Draft::of(&selection.sources));
    let mut running = stream::iter(selection.tests)
        .map(|test| tokio::spawn(timed(Arc::clone(&scratch), Arc::clone(&tree), test)))
        .buffered(thread::available_parallelism().map_or(1, NonZero::get));
    let colour = print::colour(config);
    let mut all = Vec::new();
    while let Some(ran) = running.next().await {
        let ran = ran.context("a test came to a bad end")??;
        if args.output == Output::Text {
            print::line(&text::line(&ran.report, colour));
        }
        all.push(ran);
    }
    match args.output {
        Output::Text => print::line(&text::findings(&all, &selection.sources, colour)),
        Output::Json => print::line(&json::render(&all)?),
        Output::Junit => print::line(&junit::render(&all, &selection.sources)),
    }
    Ok(if all.iter().all(Ran::is_ok) { Exit::Fine } else { Exit::Findings })
}

async fn timed(scratch: Arc<Scratch>, tree: Arc<Draft>, test: CampaignTest) -> anyhow::Result<Ran> {
    let began = Instant::now();
    let report = test::run(&scratch, &tree, &test).await;
    let report = report.with_context(|| format!("cannot run the test `{}`", test.name))?;
    Ok(Ran { report, took: began.elapsed() })
}
