//! `relancectl apply`: applies the files at once, on an operator's order.

use clap::Args;

use super::database::Database;
use super::source::SourceArgs;
use super::{Exit, Global, columns, print, validate};
use crate::config::Config;
use crate::core::plan::Plan;
use crate::core::plan::render::text as show;
use crate::daemon::reconcile;
use crate::daemon::reconcile::{By, Outcome, reconcile};
use crate::store;

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Apply even a plan that cancels a large part of what is running
    #[arg(long)]
    allow_mass_change: bool,
    /// Apply only the plan with this digest, as `relancectl plan` shows it
    #[arg(long, value_name = "PLAN-DIGEST")]
    digest: Option<String>,
    /// Make the database follow this source from now on, even if it follows another one
    #[arg(long)]
    take_over: bool,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(args: &ApplyArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let source = args.source.source(global)?;
    let database = Database::open(global, config, 2).await?;
    let store = database.store.acting(config.user.as_deref());
    let claim = args.source.claim(&source, args.take_over);
    let by = By::Person { mass_change: args.allow_mass_change, digest: args.digest.as_deref() };
    let (pass, sources) = loop {
        let tree = source.read().await?.claimed(claim.clone());
        let sources = tree.sources.clone();
        let (now, _) = database.store.now().await?;
        match reconcile(tree, &store, by, now).await {
            Err(reconcile::Error::Outdated | reconcile::Error::Store(store::Error::Serialization { .. })) => {}
            pass => break (pass?, sources),
        }
    };
    match pass.outcome {
        Outcome::InSync => {
            let whole = !pass.frozen.iter().any(|one| one.unusable);
            print::line(&show::text_with(&Plan::default(), &[], whole));
        }
        Outcome::Applied { revision, plan } => {
            print::line(&show::text(&plan));
            print::line(&format!("\nApplied as revision {revision}."));
            if args.take_over {
                print::line(&format!("The database follows the source {} now.", claim.source));
            }
        }
        Outcome::Foreign(foreign) => {
            print::note(&format!("refused: {foreign}"));
            return Ok(Exit::Findings);
        }
        Outcome::Refused(refusal) => {
            print::note(&format!("refused: {refusal}; `--allow-mass-change` says so"));
            return Ok(Exit::Findings);
        }
        Outcome::Moved => {
            print::note(&format!(
                "refused: the plan is {} by now, another one than you have seen; look at it with `relancectl plan`",
                pass.digest
            ));
            return Ok(Exit::Findings);
        }
        Outcome::Broken(comparison) => {
            validate::show(&comparison.sources, &comparison.checked, config);
            print::note("nothing is applied: the files have errors");
            return Ok(Exit::Findings);
        }
    }
    for warning in columns::unknown(&store, &sources).await? {
        print::note(&warning.to_string());
    }
    // The rest is applied, but a person has to look at these.
    for one in pass.frozen.iter().filter(|one| one.unusable) {
        print::note(&format!("{}: {}", one.sentence(), one.why.join("; ")));
    }
    Ok(if pass.frozen.iter().any(|one| one.unusable) { Exit::Findings } else { Exit::Fine })
}
