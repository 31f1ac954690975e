//! `relancectl explain`: the reasons behind a person's state, or the meaning of a diagnostic code.

mod code;
mod gate;
mod history;
mod referral;
mod target;

use clap::Subcommand;

use super::database::Database;
use super::output::Output;
use super::{Exit, Global, print};
use crate::config::Config;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// Code such as `RL0107`, or its name
    #[arg(required = true)]
    code: Option<String>,
    #[command(subcommand)]
    of: Option<Of>,
}

#[derive(Debug, Subcommand)]
enum Of {
    /// Explain why a person in a run gets their next message or not: every check with its inputs, and the history
    Target {
        /// Id of the target, `campaign/account/referral`, as `get targets` shows it
        id: String,
        #[command(flatten)]
        view: View,
    },
    /// Explain which campaigns of their account take a person and which do not, with reasons and the history
    Referral {
        /// Id of the referral, as imported
        id: String,
        #[command(flatten)]
        view: View,
    },
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct View {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

pub(super) async fn run(args: &Args, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let Some(of) = &args.of else {
        return code::run(args.code.as_deref().unwrap_or_default());
    };
    let database = Database::open(global, config, 2).await?;
    let store = &database.store;
    let (now, _) = store.now().await?;
    let colour = print::colour(config);
    let text = match of {
        Of::Target { id, view } => {
            let seen = target::look(store, id, now).await?;
            view.output.render(&seen, |_| target::text(&seen, now, colour))
        }
        Of::Referral { id, view } => {
            let seen = referral::look(store, id, now).await?;
            view.output.render(&seen, |_| referral::text(&seen, now, colour))
        }
    }?;
    print::line(&text);
    Ok(Exit::Fine)
}
