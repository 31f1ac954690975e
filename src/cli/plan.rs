//! `relancectl plan`: shows what the files would change, without changing it.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::database::Database;
use super::source::SourceArgs;
use super::table::time;
use super::{Exit, Global, columns, overrides, plan_from, print};
use crate::config::Config;
use crate::core::diagnostic::Diagnostic;
use crate::core::domain::Timestamp;
use crate::core::plan::render::text as show;
use crate::core::plan::{Frozen, Refusal, markdown};
use crate::daemon::reconcile::{Comparison, compare};
use crate::source::Tree;
use crate::store::query::Override;
use crate::store::snapshot::file::Head;
use crate::store::{Store, Waiting};

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// Exit with 0 for no changes, 1 for an error, 2 for changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Plan against a state from `relancectl export state`, as of its export, instead of a database; `-`: standard
    /// input
    #[arg(short = 'f', long = "state", value_name = "FILE")]
    state: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// A comment for a pull request; its first line is always the same
    Markdown,
}

pub(super) async fn run(args: &PlanArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    match planned(args, global, config).await {
        // With --detailed-exitcode, 2 means changes, so an error is 1.
        Err(error) if args.detailed_exitcode => {
            print::error(&error);
            Ok(Exit::Findings)
        }
        result => result,
    }
}

async fn planned(args: &PlanArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    if args.state.is_some() && global.database_url().is_some() {
        bail!("-f plans on an exported state: leave out --database-url, and DATABASE_URL");
    }
    let source = args.source.source(global)?;
    let Some(file) = &args.state else {
        let database = Database::open(global, config, 2).await?;
        let tree = source.read().await?.claimed(args.source.claim(&source, false));
        let (now, _) = database.store.now().await?;
        return planned_on(&database.store, tree, now, None, args).await;
    };
    let tree = source.read().await?.claimed(args.source.claim(&source, false));
    plan_from::lend(file, config, async |store, head| planned_on(store, tree, head.exported_at, Some(head), args).await)
        .await
}

/// Prints the plan for the database as of `now`; `head` describes the exported state it was loaded from, if any.
async fn planned_on(
    store: &Store,
    tree: Tree,
    now: Timestamp,
    head: Option<&Head>,
    args: &PlanArgs,
) -> anyhow::Result<Exit> {
    let mut comparison = compare(tree, store).await?;
    if let Some(lack) = head.and_then(|head| head.lacks(&comparison.desired)) {
        bail!(lack);
    }
    let Comparison { desired, in_force, plan, .. } = &mut comparison;
    let overrides = store.overrides(now).await?;
    store.count_effects(plan, desired, in_force, now).await?;
    let waiting = store.waiting_plan().await?;
    // An exported state does not know the columns of imports.
    let unknown = if head.is_none() { columns::unknown(store, &comparison.sources).await? } else { Vec::new() };
    let Comparison { checked, plan, foreign, .. } = &comparison;
    let (refused, warning) = match (foreign, comparison.guard()) {
        (Some(foreign), _) => (Some(foreign.to_string()), Some(foreign.to_string())),
        (None, Err(refusal)) => (Some(refusal.to_string()), Some(waits(&refusal, &plan.digest(), waiting.as_ref()))),
        (None, Ok(())) => (None, None),
    };
    let sections = || sections(&comparison, &overrides, &unknown, head);
    let whole = !checked.has_errors() && comparison.frozen.is_empty();
    match args.output {
        Format::Text => {
            print::line(&show::text_with(plan, &sections(), whole));
            if let Some(warning) = &warning {
                print::note(&format!("\n{warning}"));
            }
        }
        Format::Markdown => print::line(&markdown(plan, warning.as_deref(), &sections(), whole)),
        Format::Json => {
            print::line(&json_of(&comparison, &overrides, &unknown, refused.as_deref(), now)?);
        }
    }
    Ok(match refused {
        Some(_) => Exit::Findings,
        None if checked.has_errors() => Exit::Findings,
        None if args.detailed_exitcode && !plan.is_empty() => Exit::Environment,
        None => Exit::Fine,
    })
}

/// Returns the sections printed beside the plan, each with a title and lines.
fn sections(
    comparison: &Comparison,
    overrides: &[Override],
    unknown: &[Diagnostic],
    head: Option<&Head>,
) -> Vec<String> {
    let Comparison { checked, frozen, kept, in_force, .. } = comparison;
    let mut sections = Vec::new();
    let (stuck, frozen): (Vec<&Frozen>, Vec<&Frozen>) = frozen.iter().partition(|one| one.unusable);
    if checked.has_errors() || !frozen.is_empty() {
        sections.push(show::frozen(&frozen, checked));
    }
    if !stuck.is_empty() {
        sections.push(show::unusable(&stuck));
    }
    if !kept.is_empty() {
        sections.push(show::kept(kept));
    }
    if !in_force.unknown.is_empty() {
        let unknown = in_force.unknown.join(", ");
        sections.push(format!("Stored objects that this version does not know, and leaves alone\n  {unknown}"));
    }
    if !unknown.is_empty() {
        let lines: Vec<String> = unknown.iter().map(|one| format!("  {one}")).collect();
        sections.push(format!("Columns that no import ever had\n{}", lines.join("\n")));
    }
    if !overrides.is_empty() {
        sections.push(format!("Overrides by operators, which beat the files:\n{}", overrides::lines(overrides)));
    }
    if let Some(Head { exported_at, revision, .. }) = head {
        let at = time(*exported_at);
        sections.push(format!("Planned on an exported state\n  as of {at} UTC, revision {revision}"));
    }
    sections
}

/// Explains that the daemon does not apply this plan by itself, and how to approve it.
fn waits(refusal: &Refusal, digest: &str, waiting: Option<&Waiting>) -> String {
    let approved = waiting.filter(|waiting| waiting.digest == digest).and_then(|waiting| waiting.approved_by.as_ref());
    match approved {
        Some(actor) => format!("{actor} approved this plan, and the daemon is about to carry it out: {refusal}"),
        None => format!(
            "The daemon does not carry out this plan by itself: {refusal}.\n\
             Once it has seen these files, `relancectl approve {digest} --reason …` does; at once, `relancectl apply \
             --allow-mass-change --digest {digest}`."
        ),
    }
}

fn json_of(
    comparison: &Comparison,
    overrides: &[Override],
    unknown: &[Diagnostic],
    refused: Option<&str>,
    now: Timestamp,
) -> serde_json::Result<String> {
    let Comparison { checked, plan, frozen, kept, origin, .. } = comparison;
    let errors: Vec<String> = checked.diagnostics.iter().filter(|it| it.is_error()).map(ToString::to_string).collect();
    serde_json::to_string_pretty(&json!({
        "format": 1,
        "as_of": now,
        "revision": {"digest": origin.digest, "commit": origin.commit, "author": origin.author},
        "plan_digest": plan.digest(),
        "changes": show::changes(plan),
        "slips": plan.slips,
        "outlives": plan.outlives,
        "errors": errors,
        "warnings": unknown.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "frozen": frozen,
        "kept": kept,
        "overrides": overrides,
        "refused": refused,
        "summary": plan.summary(),
    }))
}
