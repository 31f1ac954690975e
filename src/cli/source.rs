//! The source of a command's manifests: directories, or a git repository.

use std::fs;
use std::path::{self, Component, Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::{Global, workspace};
use crate::core::domain::{Name, SourceId};
use crate::source::{Claim, Remote, Source};

/// The folder of fetched repositories, relative to the working directory.
const COPIES: &str = ".relance/git";

#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// Read manifests from this git repository instead of `--dir`: https, ssh or a path, by the `git` program
    #[arg(long, value_name = "URL", value_parser = url)]
    git: Option<String>,
    /// Branch or tag to follow [default: the repository's default branch]
    #[arg(long = "ref", value_name = "BRANCH", requires = "git", value_parser = reference)]
    reference: Option<String>,
    /// Directory of manifests in the repository, repeatable [default: campaigns, templates]
    #[arg(long = "path", value_name = "DIR", requires = "git", value_parser = inside)]
    paths: Vec<PathBuf>,
    /// Accept only commits with an ssh signature from --allowed-signers
    #[arg(long, requires = "git", requires = "allowed_signers")]
    verify_signatures: bool,
    /// File of accepted signers, with lines such as `ana@example.com namespaces="git" ssh-ed25519 AAAA…` (see `man
    /// ssh-keygen`)
    #[arg(long, value_name = "FILE", requires = "verify_signatures")]
    allowed_signers: Option<PathBuf>,
    /// Name of the source, wherever it is read from: a database follows one source and refuses others [default:
    /// `default`, distinguished by its git repository]
    #[arg(long, value_name = "NAME", value_parser = Name::parse)]
    source: Option<Name>,
}

impl SourceArgs {
    /// Returns true if a repository was named.
    pub(super) fn is_git(&self) -> bool {
        self.git.is_some()
    }

    /// Returns the source name under which the manifests take effect.
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
        workspace::close()?;
        let remote = Remote::new(url.clone(), self.reference.clone(), self.paths.clone(), Path::new(COPIES));
        Ok(Source::Git(match &self.allowed_signers {
            None => remote,
            Some(file) => {
                let cannot = || format!("cannot read the allowed signers `{}`", file.display());
                fs::read(file).with_context(cannot)?;
                // Symbolic links are not resolved: mounted files move to another folder at every change.
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

/// Parses a path from the top of the repository, which must stay inside it.
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
