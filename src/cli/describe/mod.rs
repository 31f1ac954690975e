//! `relancectl describe`: everything about one campaign, account, run or target, and what happens to it next.

mod account;
mod campaign;
mod run;
mod target;

use clap::Subcommand;

use super::database::Database;
use super::output::Output;
use super::{Exit, Global, print};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Describe {
    /// What a campaign asks for, its runs by phase and its days
    Campaign {
        name: String,
        #[command(flatten)]
        view: View,
    },
    /// What holds for one account, and which manifest says so
    Account {
        id: String,
        #[command(flatten)]
        view: View,
    },
    /// How one account's run of a campaign is doing today
    Run {
        campaign: String,
        account: String,
        #[command(flatten)]
        view: View,
    },
    /// One person in one run: what was sent and what happens next; `explain target` says why
    Target {
        /// `campaign/account/referral`, as `get targets` shows it
        id: String,
        #[command(flatten)]
        view: View,
    },
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct View {
    /// How to print it
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
    }?;
    print::line(&text);
    Ok(Exit::Fine)
}
