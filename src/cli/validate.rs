//! `relancectl validate`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;

use super::{Exit, Global, print};
use crate::config::Config;
use crate::core::diagnostic::{json, text};
use crate::core::manifest;
use crate::core::manifest::{Checked, SourceFile, Sources};
use crate::source;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and directories to check instead of `--dir`
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

pub(super) fn run(global: &Global, args: &Args, config: &Config) -> anyhow::Result<Exit> {
    let roots = source::roots(if args.paths.is_empty() { &global.dirs } else { &args.paths });
    let sources = source::load(&roots)?;
    let checked = manifest::check(&sources);
    // A tree whose only files cannot be read has findings, and they say more.
    if checked.manifests == 0 && checked.diagnostics.is_empty() {
        let looked: Vec<String> = roots.iter().map(|root| format!("`{}`", root.display())).collect();
        bail!("there is not one manifest in {}: is that the right place?", looked.join(", "));
    }
    match args.output {
        Output::Json => {
            print::line(&json_of(&checked)?);
        }
        Output::Text => show(&sources, &checked, config),
    }
    Ok(if checked.has_errors() { Exit::Findings } else { Exit::Fine })
}

/// Renders the findings: the contract of `-o json`.
pub(super) fn json_of(checked: &Checked) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&json::report(&checked.diagnostics, checked.files, checked.manifests))
}

/// Prints every finding with its source lines, then the summary.
pub(super) fn show(sources: &Sources, checked: &Checked, config: &Config) {
    let colour = print::colour(config);
    let masked = sources.files.iter().map(|SourceFile { path, bytes }| {
        let bytes = text::without_secrets(bytes, path, &checked.diagnostics);
        (path.as_str(), bytes)
    });
    let bytes: HashMap<&str, Cow<'_, [u8]>> = masked.collect();
    for one in &checked.diagnostics {
        print::line(&text::render(one, |path| bytes.get(path).map(|bytes| &**bytes), colour));
        print::line("");
    }
    print::line(&text::summary(&checked.diagnostics, checked.files, checked.manifests));
}
