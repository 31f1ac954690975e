//! `relancectl estimate`: forecasts a campaign before it enrolls anybody.

mod text;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context as _, bail};

use super::database::Database;
use super::output::Format;
use super::{Exit, Global, columns, known, print, validate};
use crate::config::Config;
use crate::core::domain::Name;
use crate::core::manifest::desired::DesiredState;
use crate::core::manifest::{Checked, SourceFile, Sources, campaigns, check, overlay};
use crate::source;
use crate::store::forecast::estimate::estimate;

#[derive(Debug, clap::Args)]
pub struct EstimateArgs {
    /// Campaign from the files in `--dir`, or from --file
    #[arg(required_unless_present = "file")]
    campaign: Option<String>,
    /// File with the campaign, overriding those in `--dir`; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Show this many matching people, newest first, with names and numbers hidden
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=100))]
    sample: u32,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) async fn run(args: &EstimateArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let file = args.file.as_deref().map(read).transpose()?;
    let tree = load(global, file.is_some())?;
    let within = file.as_ref().map(campaigns);
    let sources = match file {
        Some(file) => overlay(&tree, file),
        None => tree,
    };
    let checked = check(&sources);
    let name = subject(args, within.as_deref(), &checked)?;
    if checked.has_errors() {
        validate::show(&sources, &checked, config);
        print::note("nothing is estimated: the files have errors");
        return Ok(Exit::Findings);
    }
    if checked.desired.campaigns[&name].state == DesiredState::Cancelled {
        bail!("`{name}` is `cancelled`, which is for ever: there is nothing ahead of it");
    }
    let database = Database::open(global, config, 2).await?;
    let (now, _) = database.store.now().await?;
    let estimate = estimate(&database.store, &checked.desired, &name, args.sample, now).await?;
    match args.output {
        Format::Json => print::line(&serde_json::to_string_pretty(&estimate)?),
        Format::Text => print::line(&text::text(&estimate, now, print::colour(config))),
    }
    for warning in columns::unknown(&database.store, &sources).await? {
        print::note(&warning.to_string());
    }
    Ok(Exit::Fine)
}

/// Loads the files in `--dir`. An empty tree is accepted if `optional`, since a file may need no other.
fn load(global: &Global, optional: bool) -> anyhow::Result<Sources> {
    match source::load(&global.directories()) {
        Err(source::Error::Missing(_)) if optional && global.dirs.is_empty() => Ok(Sources::default()),
        loaded => Ok(loaded?),
    }
}

fn read(path: &Path) -> anyhow::Result<SourceFile> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(SourceFile { path: "<stdin>".to_owned(), bytes });
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(SourceFile { path: path.display().to_string(), bytes })
}

/// Returns the campaign to estimate: the one named, else the only one `within` the file.
fn subject(args: &EstimateArgs, within: Option<&[Name]>, checked: &Checked) -> anyhow::Result<Name> {
    if let Some(name) = &args.campaign {
        return known::campaign_in_files(name, checked);
    }
    let file = args.file.as_deref().unwrap_or(Path::new("-")).display();
    match within.unwrap_or_default() {
        [only] => Ok(only.clone()),
        [] => bail!("`{file}` has no campaign; name one of the files: `relancectl estimate NAME -f {file}`"),
        [first, ..] => {
            bail!("`{file}` has more than one campaign; name the one you mean: `relancectl estimate {first} -f {file}`")
        }
    }
}
