//! `relancectl apply`: a person has the files take effect now.

use clap::Args;

use super::database::Database;
use super::source::SourceArgs;
use super::{Exit, Global, print, validate};
use crate::config::Config;
use crate::plan::{Plan, show};
use crate::reconcile::{self, Outcome, reconcile};

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Carry out a plan that cancels a large part of what is running
    #[arg(long)]
    allow_mass_change: bool,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(args: &ApplyArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let source = args.source.source(global)?;
    let database = Database::open(global, config, 2).await?;
    let outcome = loop {
        let tree = source.read().await?;
        let (now, _) = database.store.now().await?;
        match reconcile(tree, &database.store, args.allow_mass_change, now).await {
            Err(reconcile::Error::Outdated) => {}
            outcome => break outcome?,
        }
    };
    match outcome {
        Outcome::InSync => print::line(&show::text(&Plan::default())),
        Outcome::Applied { revision, plan } => {
            print::line(&show::text(&plan));
            print::line(&format!("\nApplied as revision {revision}."));
        }
        Outcome::Refused(refusal) => {
            print::note(&format!("refused: {refusal}"));
            return Ok(Exit::Findings);
        }
        Outcome::Broken(comparison) => {
            validate::show(&comparison.sources, &comparison.checked, config);
            print::note("nothing is applied: the files have errors");
            return Ok(Exit::Findings);
        }
    }
    Ok(Exit::Fine)
}
