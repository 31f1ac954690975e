//! `relancectl describe`: everything about one campaign, account, run, target or revision, and its next change.

mod account;
mod campaign;
mod revision;
mod run;
mod target;

use clap::Subcommand;

use super::database::Database;
use super::output::Output;
use super::{Exit, Global, print};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Describe {
    /// Show a campaign's settings, its runs by phase and its days
    Campaign {
        name: String,
        #[command(flatten)]
        view: View,
    },
    /// Show the settings in effect for an account, and which manifest sets each
    Account {
        id: String,
        #[command(flatten)]
        view: View,
    },
    /// Show today's progress of a campaign's run for one account
    Run {
        campaign: String,
        account: String,
        #[command(flatten)]
        view: View,
    },
    /// Show one person in one run: messages sent and next step; `explain target` gives the reasons
    Target {
        /// Id of the target, `campaign/account/referral`, as `get targets` shows it
        id: String,
        #[command(flatten)]
        view: View,
    },
    /// Show what a revision changed, who applied it, who approved it and why
    Revision {
        /// Number of the revision, as `get revisions` shows it
        #[arg(value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        id: i32,
        #[command(flatten)]
        view: View,
    },
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct View {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

pub(super) async fn run(describe: Describe, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let database = Database::open(global, config, 2).await?;
    let store = &database.store;
    let (now, _) = store.now().await?;
    let colour = print::colour(config);
    let text = match describe {
        Describe::Campaign { name, view } => {
            let seen = campaign::look(store, &name, now).await?;
            view.output.render(&seen, |wide| campaign::text(&seen, wide, now, colour))
        }
        Describe::Account { id, view } => {
            let seen = account::look(store, &id, now).await?;
            view.output.render(&seen, |wide| account::text(&seen, wide, now, colour))
        }
        Describe::Run { campaign, account, view } => {
            let seen = run::look(store, &campaign, &account, now).await?;
            view.output.render(&seen, |wide| run::text(&seen, wide, now, colour))
        }
        Describe::Target { id, view } => {
            let seen = target::look(store, &id, now).await?;
            view.output.render(&seen, |wide| target::text(&seen, wide, now, colour))
        }
        Describe::Revision { id, view } => {
            let seen = revision::look(store, id).await?;
            view.output.render(&seen, |_| revision::text(&seen, now))
        }
    }?;
    print::line(&text);
    Ok(Exit::Fine)
}
