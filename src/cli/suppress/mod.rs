//! `relancectl suppress`: manages the phones that no campaign may write to.

mod list;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use self::list::{HoldsArgs, ListArgs};
use super::database::Database;
use super::output::Format;
use super::table::{counted, people, thousands, whole};
use super::{Exit, Global, actor, import, known, phones, print};
use crate::config::Config;
use crate::core::domain::{Country, Phone, Rejection};
use crate::facts::Source;
use crate::facts::import::Listing;
use crate::store::{Listed, Suppressed};

#[derive(Debug, Subcommand)]
pub enum Suppress {
    /// Stop writing to these phones, at once and in every account
    Add(AddArgs),
    /// Lift the suppression of these phones, even one set by the person or another operator
    Remove(RemoveArgs),
    /// List the suppressed phones
    List(ListArgs),
    /// List people on hold for review: their reply may be an opt-out, and somebody must read it
    Holds(HoldsArgs),
    /// Resume writing to people on hold, after their replies have been read
    Release(ReleaseArgs),
    /// Suppress the phones of a file: CSV or NDJSON with a column `phone`
    Import(ImportArgs),
}

/// The operator of a change, and the form of the report.
#[derive(Debug, Args)]
struct Manner {
    /// Country whose national numbers are accepted, as in `CM` [default: phones begin with `+`]
    #[arg(long, value_name = "CODE", value_parser = Country::parse)]
    country: Option<Country>,
    /// Name of the operator [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

#[derive(Debug, Args)]
pub struct AddArgs {
    #[arg(value_name = "PHONE", required = true)]
    phones: Vec<String>,
    /// Reason, recorded with the suppression
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    #[arg(value_name = "PHONE", required = true)]
    phones: Vec<String>,
    /// Reason, recorded with the change
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[arg(value_name = "PHONE", required = true)]
    phones: Vec<String>,
    /// Only in this account [default: every account that has them on hold]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Reason, recorded with the release
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// CSV or NDJSON file; `-` reads standard input
    file: PathBuf,
    /// Reason, recorded with the suppressions
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Write every rejected row to this file, as CSV
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

pub(super) async fn run(command: Suppress, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    match command {
        Suppress::Add(args) => add(&args, global, config).await,
        Suppress::Remove(args) => remove(&args, global, config).await,
        Suppress::List(args) => list::run(&args, global, config).await,
        Suppress::Holds(args) => list::holds(&args, global, config).await,
        Suppress::Release(args) => release(&args, global, config).await,
        Suppress::Import(args) => import(args, global, config).await,
    }
}

async fn add(args: &AddArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let actor = actor::actor(args.manner.actor.as_deref(), config)?;
    let reason = args.reason.as_deref().map(actor::reason).transpose()?;
    let phones = phones::parse(&args.phones, args.manner.country)?;
    let database = Database::open(global, config, 2).await?;
    let (now, _) = database.store.now().await?;
    let done = database.store.acting(Some(actor)).suppress(&phones, Listed::ByHand, reason, now).await?;
    let known = phones.len() as u64 - done.added;
    print::line(&match args.manner.output {
        Format::Text => summary(done, known),
        Format::Json => {
            let Suppressed { added, exited } = done;
            serde_json::to_string_pretty(&json!({ "suppressed": added, "already": known, "exited": exited }))?
        }
    });
    Ok(Exit::Fine)
}

async fn remove(args: &RemoveArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let actor = actor::actor(args.manner.actor.as_deref(), config)?;
    let reason = actor::reason(&args.reason)?;
    let phones = phones::parse(&args.phones, args.manner.country)?;
    let database = Database::open(global, config, 2).await?;
    let (now, _) = database.store.now().await?;
    let lifted = database.store.acting(Some(actor)).unsuppress(&phones, reason, now).await?;
    let others: Vec<&str> = phones.difference(&lifted).map(Phone::as_str).collect();
    print::line(&match args.manner.output {
        Format::Text => {
            let mut text = format!("Lifted the suppression of {}.", counted(whole(lifted.len() as u64), "phone"));
            if !lifted.is_empty() {
                text += " Nobody comes back into a run they left; opt-outs that were imported stand.";
            }
            if !others.is_empty() {
                text += &format!("\nNot suppressed: {}", others.join(", "));
            }
            text
        }
        Format::Json => serde_json::to_string_pretty(&json!({ "lifted": lifted, "not_suppressed": others }))?,
    });
    Ok(if others.is_empty() { Exit::Fine } else { Exit::Findings })
}

async fn release(args: &ReleaseArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let actor = actor::actor(args.manner.actor.as_deref(), config)?;
    let reason = args.reason.as_deref().map(actor::reason).transpose()?;
    let phones = phones::parse(&args.phones, args.manner.country)?;
    let database = Database::open(global, config, 2).await?;
    let (now, _) = database.store.now().await?;
    let account = match &args.account {
        Some(id) => Some(known::account_id(&database.store, id).await?),
        None => None,
    };
    let released = database.store.acting(Some(actor)).release(&phones, account, reason, now).await?;
    let others: Vec<&str> = phones.difference(&released).map(Phone::as_str).collect();
    print::line(&match args.manner.output {
        Format::Text => {
            let text = format!("Released {}.", people(whole(released.len() as u64)));
            if others.is_empty() { text } else { format!("{text}\nNot on hold: {}", others.join(", ")) }
        }
        Format::Json => serde_json::to_string_pretty(&json!({ "released": released, "not_held": others }))?,
    });
    Ok(if others.is_empty() { Exit::Fine } else { Exit::Findings })
}

async fn import(args: ImportArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let actor = actor::actor(args.manner.actor.as_deref(), config)?;
    let reason = args.reason.as_deref().map(actor::reason).transpose()?;
    let source =
        if args.file == Path::new("-") { Source::stream("<stdin>", io::stdin()) } else { Source::open(&args.file)? };
    let listing = Listing::read(source, args.manner.country)?;
    let database = Database::open(global, config, 2).await?;
    let (now, _) = database.store.now().await?;
    let done = database.store.acting(Some(actor)).suppress(&listing.phones, Listed::InFile, reason, now).await?;
    let Listing { read, rejected, .. } = &listing;
    let refused = Rejection::rows(rejected);
    let known = read - refused - done.added;
    if let Some(path) = &args.rejects {
        import::write_rejects(path, rejected)?;
    }
    print::line(&match args.manner.output {
        Format::Text => {
            let text = format!("{read} read, {refused} rejected. {}", summary(done, known));
            if rejected.is_empty() { text } else { format!("{text}\n\n{}", import::rejections(rejected)) }
        }
        Format::Json => {
            let Suppressed { added, exited } = done;
            let all = json!({ "read": read, "suppressed": added, "already": known, "exited": exited,
                              "rejected": rejected });
            serde_json::to_string_pretty(&all)?
        }
    });
    Ok(if rejected.is_empty() { Exit::Fine } else { Exit::Findings })
}

fn summary(done: Suppressed, known: u64) -> String {
    let Suppressed { added, exited } = done;
    let mut text = format!("Suppressed {}", counted(whole(added), "phone"));
    if known > 0 {
        text += &format!("; {} {} already", thousands(whole(known)), if known == 1 { "was" } else { "were" });
    }
    match exited {
        0 => text + ".",
        n => format!("{text}. By it {} left.", counted(whole(n), "target")),
    }
}
