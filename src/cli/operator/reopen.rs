//! `relancectl reopen`: opens the enrollment of completed runs again.

use anyhow::bail;
use serde_json::json;

use super::order::Format;
use super::said::groups;
use super::{actor, campaign, in_force, known, print};
use crate::cli::database::Database;
use crate::cli::table::counted;
use crate::cli::{Exit, Global};
use crate::config::Config;
use crate::store::{Opened, Reopened};

#[derive(Debug, clap::Args)]
pub struct ReopenArgs {
    /// Campaign whose completed runs enroll again
    #[arg(value_name = "CAMPAIGN")]
    campaign: String,
    /// Only for this account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Reason, recorded in the log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Name of the operator [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

pub(in crate::cli) async fn run(args: &ReopenArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let database = Database::open(global, config, 2).await?;
    let store = &database.store;
    let (now, _) = store.now().await?;
    let id = campaign(store, &args.campaign).await?;
    let account = match &args.account {
        Some(name) => Some(known::account_id(store, name).await?),
        None => None,
    };
    let actor = actor::actor(args.actor.as_deref(), config)?;
    let reason = args.reason.trim();
    if reason.is_empty() {
        bail!("give a reason for the log: `--reason`");
    }
    let opened = loop {
        match store.reopen(&in_force::program(store).await?, (id, account), (actor, reason), now).await? {
            Reopened::Done(opened) => break opened,
            Reopened::Refused(fault) => bail!("{} cannot be reopened: {fault}", what(args)),
            // Another revision was accepted meanwhile: the order is tried again.
            Reopened::Outdated => {}
        }
    };
    print::line(&match args.output {
        Format::Text => text(args, &opened),
        Format::Json => serde_json::to_string_pretty(&json!({
            "action": "reopen",
            "campaign": args.campaign,
            "account": args.account,
            "actor": actor,
            "reason": reason,
            "runs": opened.runs,
            "phases": opened.phases,
        }))?,
    });
    Ok(Exit::Fine)
}

fn what(args: &ReopenArgs) -> String {
    let account = args.account.as_ref().map(|account| format!(" for account `{account}`")).unwrap_or_default();
    format!("`{}`{account}", args.campaign)
}

fn text(args: &ReopenArgs, Opened { runs, phases }: &Opened) -> String {
    let runs = counted(i64::try_from(*runs).unwrap_or(i64::MAX), "run");
    format!("Reopened {}: {runs}. People who were in it stay out.{}", what(args), groups(phases.iter()))
}
