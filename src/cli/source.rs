//! Where a command takes the manifests from: directories, or a git repository.

use std::fs;
use std::path::{self, Component, Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::Global;
use crate::core::domain::{Name, SourceId};
use crate::source::{Claim, Remote, Source};

/// The folder of what was fetched, below the working directory.
const COPIES: &str = ".relance/git";

#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// Take the manifests from this git repository instead of `--dir`: https, ssh or a path, by the `git` program
    #[arg(long, value_name = "URL", value_parser = url)]
    git: Option<String>,
    /// The branch, or a tag, to follow [default: the repository's own]
    #[arg(long = "ref", value_name = "BRANCH", requires = "git", value_parser = reference)]
    reference: Option<String>,
    /// Where the manifests are in it, repeatable [default: campaigns, templates]
    #[arg(long = "path", value_name = "DIR", requires = "git", value_parser = inside)]
    paths: Vec<PathBuf>,
    /// Take only commits that are signed by ssh, by somebody in --allowed-signers
    #[arg(long, requires = "git", requires = "allowed_signers")]
    verify_signatures: bool,
    /// Whose signatures count, as in `ana@example.com namespaces="git" ssh-ed25519 AAAA…` (see `man ssh-keygen`)
    #[arg(long, value_name = "FILE", requires = "verify_signatures")]
    allowed_signers: Option<PathBuf>,
    /// What the manifests are called, wherever they are read from: a database follows one source and refuses others
    /// [default: `default`, told apart by its git repository]
    #[arg(long, value_name = "NAME", value_parser = Name::parse)]
    source: Option<Name>,
}

impl SourceArgs {
    /// A repository was named.
    pub(super) fn is_git(&self) -> bool {
        self.git.is_some()
    }

    /// In whose name the manifests of `source` are to take effect.
    pub(super) fn claim(&self, source: &Source, take_over: bool) -> Claim {
        let named = self.source.clone().map(SourceId::named);
        Claim { source: named.unwrap_or_else(|| SourceId::unnamed(source.repository())), take_over }
    }

    pub(super) fn source(&self, global: &Global) -> anyhow::Result<Source> {
        let Some(url) = &self.git else { return Ok(Source::Directories(global.dirs.clone())) };
        if !global.dirs.is_empty() {
            bail!(
                "--dir names directories here, and --git a repository elsewhere: for directories in it, write --path"
            );
        }
        let remote = Remote::new(url.clone(), self.reference.clone(), self.paths.clone(), Path::new(COPIES));
        Ok(Source::Git(match &self.allowed_signers {
            None => remote,
            Some(file) => {
                let cannot = || format!("cannot read the allowed signers `{}`", file.display());
                fs::read(file).with_context(cannot)?;
                // Links stay: what is mounted moves to another folder at every change.
                remote.signed_by(path::absolute(file).with_context(cannot)?)
            }
        }))
    }
}

fn url(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("write the URL of a repository, as in `https://example.com/campaigns.git`".to_owned());
    }
    Ok(text.to_owned())
}

fn reference(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('-') {
        return Err(format!("`{text}` cannot be a branch or tag"));
    }
    Ok(text.to_owned())
}

/// A path from the top of the repository, which must not lead out of it.
fn inside(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) && !text.is_empty() {
        return Ok(path);
    }
    Err(format!("`{text}` leads out of the repository: write a path from its top, as in `teams/growth`"))
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn paths_stay_inside_of_the_repository() {
        for fine in [".", "campaigns", "./teams/growth/"] {
            assert!(inside(fine).is_ok(), "{fine}");
        }
        for out in ["", "/etc", "..", "campaigns/../../x"] {
            assert!(inside(out).is_err(), "{out}");
        }
    }
}
