//! `relancectl approve`: approves a plan that the daemon refused as a probable accident.

use anyhow::bail;

use super::database::Database;
use super::{Exit, Global, actor, print};
use crate::config::Config;
use crate::store::Approved;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Digest of the plan, as `relancectl plan` and the log of the daemon show it
    #[arg(value_name = "PLAN-DIGEST")]
    digest: String,
    /// Reason, recorded with the approval
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Name of the approver [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
}

pub(super) async fn run(args: &Args, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let actor = actor::actor(args.actor.as_deref(), config)?;
    let reason = actor::reason(&args.reason)?;
    let database = Database::open(global, config, 2).await?;
    let (now, _) = database.store.now().await?;
    let digest = &args.digest;
    match database.store.approve_plan(digest, actor, reason, now).await? {
        Approved::Done(_) => {
            print::line(&format!(
                "Approved plan {digest}. The daemon carries it out once, within seconds, unless the files change first."
            ));
            Ok(Exit::Fine)
        }
        Approved::CarriedOut(revision) => bail!("plan `{digest}` was carried out already, as revision {revision}"),
        Approved::NotWaiting(Some(other)) => bail!(
            "plan `{digest}` is not what the daemon plans any more: that is `{other}`; look at it with `relancectl plan`"
        ),
        Approved::NotWaiting(None) => {
            bail!("no plan waits for an approval; `relancectl plan` shows what there is to do")
        }
    }
}
