//! The files to simulate: the user's tree, and optionally another to compare with.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::Global;
use crate::core::manifest;
use crate::core::manifest::{Checked, Sources};
use crate::source;

/// A checked tree.
#[derive(Debug)]
pub(super) struct Tree {
    /// The name that the user gave it.
    pub(super) name: String,
    /// The same name, in the form for a sentence about the files.
    pub(super) place: String,
    pub(super) sources: Sources,
    pub(super) checked: Checked,
}

impl Tree {
    /// Reads the files of `--dir` and those to compare with: the same directories in another folder or a commit.
    pub(super) fn here_and(named: Option<&str>, global: &Global) -> anyhow::Result<(Self, Option<Self>)> {
        let absolute = global.dirs.iter().find(|dir| dir.is_absolute());
        if let (Some(_), Some(absolute)) = (named, absolute) {
            bail!("--compare looks for the same directories elsewhere: write `{}` relative", absolute.display());
        }
        Ok((Self::here(global)?, named.map(|named| Self::named(named, global)).transpose()?))
    }

    fn here(global: &Global) -> anyhow::Result<Self> {
        Self::check("here", "here", source::load(&global.directories())?)
    }

    fn named(name: &str, global: &Global) -> anyhow::Result<Self> {
        let folder = Path::new(name);
        let sources = if folder.is_dir() {
            source::load(&below(folder, &global.dirs))?
        } else {
            source::load_commit(Path::new("."), name, &global.dirs)
                .with_context(|| format!("--compare `{name}` is not a directory, and not a git commit to read from"))?
        };
        Self::check(name, &format!("of `{name}`"), sources)
    }

    fn check(name: &str, place: &str, sources: Sources) -> anyhow::Result<Self> {
        let checked = manifest::check(&sources);
        if checked.manifests == 0 {
            bail!("there is not one manifest {place}: is that the right place?");
        }
        Ok(Self { name: name.to_owned(), place: place.to_owned(), sources, checked })
    }
}

/// Does the same as [`source::roots`], below `folder`.
fn below(folder: &Path, dirs: &[PathBuf]) -> Vec<PathBuf> {
    if !dirs.is_empty() {
        return dirs.iter().map(|dir| folder.join(dir)).collect();
    }
    let [campaigns, templates] = ["campaigns", "templates"].map(|dir| folder.join(dir));
    if templates.exists() { vec![campaigns, templates] } else { vec![campaigns] }
}
