//! `relancectl plan`: what the files would change, without changing it.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::database::Database;
use super::source::SourceArgs;
use super::{Exit, Global, operator, print, validate};
use crate::config::Config;
use crate::plan::{self, Plan, show};
use crate::reconcile::{Comparison, compare};
use crate::store::Origin;
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
    Text,
    Json,
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
    let Comparison { sources, checked, in_force, mut plan, origin } = compare(tree, &database.store).await?;
    if checked.has_errors() {
        match args.output {
            Format::Text => validate::show(&sources, &checked, config),
            Format::Json => print::line(&validate::json_of(&checked)?),
        }
        print::note("nothing is planned: the files have errors");
        return Ok(Exit::Findings);
    }
    let overrides = database.store.overrides(now).await?;
    database.store.count_effects(&mut plan, &checked.desired, &in_force, now).await?;
    let refused = plan::guard(&plan, checked.desired.campaigns.len(), &in_force.live_runs).err();
    match args.output {
        Format::Text => {
            print::line(&show::text(&plan));
            if !overrides.is_empty() {
                print::line(&format!(
                    "\nOverrides by operators, which beat the files:\n{}",
                    operator::lines(&overrides)
                ));
            }
            if let Some(refusal) = &refused {
                print::note(&format!("\nThe daemon would not apply this plan: {refusal}"));
            }
        }
        Format::Json => {
            let refused = refused.as_ref().map(ToString::to_string);
            print::line(&json_of(&plan, &origin, &overrides, refused.as_deref())?);
        }
    }
    Ok(match refused {
        Some(_) => Exit::Findings,
        None if args.detailed_exitcode && !plan.is_empty() => Exit::Environment,
        None => Exit::Fine,
    })
}

fn json_of(plan: &Plan, origin: &Origin, overrides: &[Override], refused: Option<&str>) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&json!({
        "format": 1,
        "revision": {"digest": origin.digest, "commit": origin.commit, "author": origin.author},
        "plan_digest": plan.digest(),
        "changes": show::changes(plan),
        "slips": plan.slips,
        "outlives": plan.outlives,
        "frozen": [],
        "overrides": overrides,
        "refused": refused,
        "summary": plan.summary(),
    }))
}
