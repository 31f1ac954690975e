//! `relancectl export`: writes the contents of the database to a file.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::database::Looked;
use super::out_file::OutFile;
use super::table::{counted, time, whole};
use super::{Exit, Global, database, print};
use crate::config::Config;
use crate::store::snapshot::file as state;
use crate::store::snapshot::file::{Attributes, Exported};
use crate::store::{Schema, UNRELEASED};

#[derive(Debug, Subcommand)]
pub enum Export {
    /// Write the state that `relancectl plan -f` needs to plan without the database: no names, addresses or texts
    State(StateArgs),
}

#[derive(Debug, Args)]
pub struct StateArgs {
    /// Write to this file instead of standard output, which `-` stands for
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also export this imported extra column, repeatable [default: only the columns that campaigns in force filter by]
    #[arg(long = "attribute", value_name = "KEY", conflicts_with = "all_attributes")]
    attributes: Vec<String>,
    /// Export every imported extra column, whatever it contains
    #[arg(long)]
    all_attributes: bool,
}

pub(super) async fn run(export: Export, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    match export {
        Export::State(args) => state(args, global, config).await,
    }
}

async fn state(args: StateArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let Some(Looked { store, schema, server: _server }) = database::look(global, config, 2).await? else {
        bail!("there is nothing to export: nobody made a database here");
    };
    match schema {
        Schema::Present => {}
        Schema::Missing => bail!("there is nothing to export: the database is empty"),
        Schema::Older => bail!(
            "an older relancectl made the database, and an export changes nothing in it: export with that one, or have \
             any other command, such as `relancectl get runs`, bring it up to date"
        ),
        Schema::Other => bail!("another version of relancectl made the database: export with that one"),
        Schema::Unreleased => bail!("cannot {UNRELEASED}"),
    }
    let attributes = if args.all_attributes { Attributes::All } else { Attributes::Asked(args.attributes) };
    let Some(path) = &args.out else {
        state::export(&store, &attributes, print::stream()).await?;
        return Ok(Exit::Fine);
    };
    let mut file = OutFile::create(path)?;
    let exported = state::export(&store, &attributes, &mut file).await?;
    if file.finish().with_context(|| format!("cannot write `{}`", path.display()))? {
        print::note(&format!("export: wrote `{}`: {}", path.display(), what(&exported)));
    }
    Ok(Exit::Fine)
}

fn what(exported: &Exported) -> String {
    let rows = |table, noun| counted(whole(exported.counts.get(table).copied().unwrap_or_default()), noun);
    let (accounts, referrals, at) =
        (rows("account", "account"), rows("referral", "referral"), exported.head.exported_at);
    format!("{accounts} and {referrals}, as of {} UTC", time(at))
}
