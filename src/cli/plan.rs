//! `relancectl plan`: what the files would change, without changing it.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::database::Database;
use super::source::SourceArgs;
use super::{Exit, Global, operator, print};
use crate::config::Config;
use crate::plan::{Refusal, markdown, show};
use crate::reconcile::{Comparison, compare};
use crate::store::Waiting;
use crate::store::look::Override;

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// How to print the plan
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// Exit with 0 for no changes, 1 for an error, 2 for changes
    #[arg(long)]
    detailed_exitcode: bool,
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
        // With --detailed-exitcode 2 means changes, so an error is 1.
        Err(error) if args.detailed_exitcode => {
            print::error(&error);
            Ok(Exit::Findings)
        }
        result => result,
    }
}

async fn planned(args: &PlanArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let source = args.source.source(global)?;
    let database = Database::open(global, config, 2).await?;
    let tree = source.read().await?;
    let (now, _) = database.store.now().await?;
    let mut comparison = compare(tree, &database.store).await?;
    let Comparison { desired, in_force, plan, .. } = &mut comparison;
    let overrides = database.store.overrides(now).await?;
    database.store.count_effects(plan, desired, in_force, now).await?;
    let refused = comparison.guard().err();
    let waiting = database.store.waiting_plan().await?;
    let Comparison { checked, plan, .. } = &comparison;
    let warning = refused.as_ref().map(|refusal| waits(refusal, &plan.digest(), waiting.as_ref()));
    match args.output {
        Format::Text => {
            print::line(&show::text_with(plan, &sections(&comparison, &overrides)));
            if let Some(warning) = &warning {
                print::note(&format!("\n{warning}"));
            }
        }
        Format::Markdown => {
            print::line(&markdown(plan, warning.as_deref(), &sections(&comparison, &overrides)));
        }
        Format::Json => {
            let refused = refused.as_ref().map(ToString::to_string);
            print::line(&json_of(&comparison, &overrides, refused.as_deref())?);
        }
    }
    Ok(match refused {
        Some(_) => Exit::Findings,
        None if checked.has_errors() => Exit::Findings,
        None if args.detailed_exitcode && !plan.is_empty() => Exit::Environment,
        None => Exit::Fine,
    })
}

/// What there is to say beside the plan: each section a title, and lines.
fn sections(comparison: &Comparison, overrides: &[Override]) -> Vec<String> {
    let Comparison { checked, frozen, kept, .. } = comparison;
    let mut sections = Vec::new();
    if checked.has_errors() || !frozen.is_empty() {
        sections.push(show::frozen(frozen, checked));
    }
    if !kept.is_empty() {
        sections.push(show::kept(kept));
    }
    if !overrides.is_empty() {
        sections.push(format!("Overrides by operators, which beat the files:\n{}", operator::lines(overrides)));
    }
    sections
}

/// That the daemon does not carry a plan out by itself, and what to do.
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

fn json_of(comparison: &Comparison, overrides: &[Override], refused: Option<&str>) -> serde_json::Result<String> {
    let Comparison { checked, plan, frozen, kept, origin, .. } = comparison;
    let errors: Vec<String> = checked.diagnostics.iter().filter(|it| it.is_error()).map(ToString::to_string).collect();
    serde_json::to_string_pretty(&json!({
        "format": 1,
        "revision": {"digest": origin.digest, "commit": origin.commit, "author": origin.author},
        "plan_digest": plan.digest(),
        "changes": show::changes(plan),
        "slips": plan.slips,
        "outlives": plan.outlives,
        "errors": errors,
        "frozen": frozen,
        "kept": kept,
        "overrides": overrides,
        "refused": refused,
        "summary": plan.summary(),
    }))
}
