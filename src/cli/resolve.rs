//! `relancectl resolve`: records the outcome of uncertain messages, as found out by a person.

use anyhow::bail;
use clap::ArgAction;
use serde_json::json;

use super::database::Database;
use super::output::Format;
use super::table::{counted, whole};
use super::{Exit, Global, actor, known, print};
use crate::config::Config;
use crate::core::domain::Period;
use crate::core::lifecycle::message::State;
use crate::core::lifecycle::outcome::Finding;
use crate::store::{Chosen, Resolved};

#[derive(Debug, clap::Args)]
#[command(override_usage = "relancectl resolve <MESSAGE-ID>... <sent|failed> [OPTIONS]\n       \
                            relancectl resolve --all --older-than <DURATION> <sent|failed> [OPTIONS]")]
pub struct Args {
    /// Ids of the messages, `campaign/account/referral/day`, as `get messages` shows them; then their outcome: `sent`,
    /// or `failed` if they certainly did not leave
    #[arg(value_name = "MESSAGE-ID|sent|failed", required = true, action = ArgAction::Append)]
    words: Vec<String>,
    /// Resolve all uncertain messages
    #[arg(long, requires = "older_than")]
    all: bool,
    /// With --all: only messages queued at least this long ago, as in `2h` or `7d`
    #[arg(long, value_name = "DURATION", value_parser = Period::parse, requires = "all")]
    older_than: Option<Period>,
    /// With --all: only of this campaign
    #[arg(long, value_name = "NAME", requires = "all")]
    campaign: Option<String>,
    /// With --all: only of this account
    #[arg(long, value_name = "ID", requires = "all")]
    account: Option<String>,
    /// Evidence for the outcome, recorded with it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Name of the operator [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) async fn run(args: &Args, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let (ids, finding) = args.parsed()?;
    let actor = actor::actor(args.actor.as_deref(), config)?;
    let reason = args.reason.as_deref().map(actor::reason).transpose()?;
    let database = Database::open(global, config, 2).await?;
    let store = &database.store.acting(Some(actor));
    let (now, _) = store.now().await?;
    let chosen = match args.older_than {
        None => Chosen::Ids(ids),
        Some(age) => {
            if let Some(campaign) = &args.campaign {
                known::campaign(store, campaign).await?;
            }
            if let Some(account) = &args.account {
                known::account(store, account).await?;
            }
            let at = now - std::time::Duration::from(age);
            Chosen::Before { at, campaign: args.campaign.as_deref(), account: args.account.as_deref() }
        }
    };
    let count = match store.resolve(chosen, finding, reason, now).await? {
        Resolved::Done(count) => whole(count),
        Resolved::Refused(faults) => {
            let faults = faults.iter().map(|(id, state)| fault(id, *state)).collect::<Vec<_>>().join("; ");
            bail!("{faults}; `relancectl get messages --state uncertain` lists those to resolve")
        }
    };
    let (state, meaning) = match finding {
        Finding::Sent => (State::Sent, ""),
        Finding::Failed => (State::Failed, " Quota of days that are not over is given back; nothing is sent again."),
    };
    print::line(&match args.output {
        Format::Text if count == 0 => "Nothing to resolve: no message is uncertain for that long.".to_owned(),
        Format::Text => format!("{} resolved as {state}.{meaning}", counted(count, "message")),
        Format::Json => serde_json::to_string_pretty(&json!({ "resolved": count, "state": state }))?,
    });
    Ok(Exit::Fine)
}

impl Args {
    /// Splits the words into the message ids and the outcome.
    fn parsed(&self) -> anyhow::Result<(&[String], Finding)> {
        let Some((last, ids)) = self.words.split_last() else { bail!("name messages, and say what became of them") };
        let finding = match last.as_str() {
            "sent" => Finding::Sent,
            "failed" => Finding::Failed,
            _ => bail!("say last what became of them: `sent`, or `failed` if they certainly did not leave"),
        };
        match (self.all, ids) {
            (true, [id, ..]) => bail!("`--all` takes every uncertain message: leave out `{id}`"),
            (false, []) => {
                bail!("name messages as `relancectl get messages --state uncertain` shows them, or say `--all`")
            }
            _ => Ok((ids, finding)),
        }
    }
}

fn fault(id: &str, state: Option<State>) -> String {
    match state {
        Some(state) => format!("`{id}` is {state}: only what is uncertain can be resolved"),
        None => format!("no message `{id}`"),
    }
}
