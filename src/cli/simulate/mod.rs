//! `relancectl simulate`: runs the files on a virtual clock, on a copy of the facts.

mod args;
mod chart;
mod compare_text;
mod facts;
mod progress;
mod text;
mod tree;

use self::args::Format;
pub(super) use self::args::SimulateArgs;
use self::facts::Ground;
use self::tree::Tree;
use super::{Exit, Global, out_file, print, scratch, validate};
use crate::config::Config;
use crate::store::Store;
use crate::time_machine::compare::{Comparison, Side, compare};
use crate::time_machine::report::Report;
use crate::time_machine::{Rates, Settings, page, simulate};

/// Connections to a simulated database: one for the simulation, one for counting.
const CONNECTIONS: u32 = 2;

/// The report of one tree, or the comparison of two.
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
            if out_file::write(path, &text)? {
                print::note(&format!("simulate: wrote `{}`", path.display()));
            }
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

/// Simulates both trees concurrently, each on its own copy of the same facts. The second database already holds them.
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
