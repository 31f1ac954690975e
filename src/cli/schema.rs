//! `relancectl schema`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use super::{Exit, print};
use crate::core::manifest;
use crate::core::manifest::Kind;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Args {
    /// Kind of manifest to print the schema of
    #[arg(value_parser = kind)]
    kind: Option<Kind>,
    /// Write the schemas of all kinds into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn kind(text: &str) -> Result<Kind, String> {
    let known = Kind::ALL.map(Kind::as_str);
    let found = Kind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("kinds are {}", known.join(", ")))
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if let Some(kind) = args.kind {
        print::line(serde_json::to_string_pretty(&manifest::schema(kind))?.trim_end());
    }
    if let Some(dir) = &args.out {
        fs::create_dir_all(dir).with_context(|| format!("create `{}`", dir.display()))?;
        for kind in Kind::ALL {
            let path = dir.join(manifest::schema_file_name(kind));
            let text = serde_json::to_string_pretty(&manifest::schema(kind))? + "\n";
            fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))?;
        }
        print::note(&format!("{} schemas in `{}`", Kind::ALL.len(), dir.display()));
    }
    Ok(Exit::Fine)
}
