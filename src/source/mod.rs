//! Where manifests come from.

mod directory;
mod git;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use crate::core::domain::SourceId;
use crate::core::manifest::Sources;

pub use self::directory::{Error, digest, load, roots};
pub use self::git::{Error as GitError, Remote, RemoteError, load_commit};
pub use self::watch::Watch;

/// Two readings of directories that are so far apart have to agree. A checkout or an editor writes file after file, and a
/// campaign that moves from one to the other must not be missed between the two.
const REST: Duration = Duration::from_millis(150);
/// Files that never come to rest are not waited for any longer.
const RESTLESS: u32 = 40;

/// Where a process has its manifests from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The directories that were named; none for the usual ones.
    Directories(Vec<PathBuf>),
    Git(Remote),
}

/// Manifests, and the commit that they are from if they are from one.
#[derive(Debug, Clone)]
pub struct Tree {
    pub sources: Sources,
    pub commit: Option<Commit>,
    /// In whose name they are to take effect; `None` where nobody else could be, as on a clock that jumps.
    pub claim: Option<Claim>,
}

/// That a database should follow a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub source: SourceId,
    /// Though it follows another one.
    pub take_over: bool,
}

/// A commit of a git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    pub author: Option<String>,
}

/// What is wanted now is not known. Never to be read as "nothing".
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Directory(#[from] Error),
    #[error(transparent)]
    Git(#[from] RemoteError),
    #[error("the files change all the time: is something writing to them?")]
    Restless,
}

impl Source {
    /// What tells it apart though nobody named it.
    pub fn repository(&self) -> Option<String> {
        match self {
            Self::Directories(_) => None,
            Self::Git(remote) => remote.identity(),
        }
    }

    /// Reads what is there at this moment.
    pub async fn read(&self) -> Result<Tree, ReadError> {
        match self {
            Self::Directories(named) => Ok(load(&roots(named))?.into()),
            Self::Git(remote) => Ok(remote.pull().await?),
        }
    }

    /// As [`Source::read`], once nobody is writing any more: what nobody said is finished.
    pub async fn read_at_rest(&self) -> Result<Tree, ReadError> {
        let mut tree = self.read().await?;
        if let Self::Git(_) = self {
            return Ok(tree);
        }
        for _ in 0..RESTLESS {
            tokio::time::sleep(REST).await;
            let again = self.read().await?;
            if again.sources == tree.sources {
                return Ok(again);
            }
            tree = again;
        }
        Err(ReadError::Restless)
    }
}

impl Tree {
    /// These manifests, in the name of a source.
    #[must_use]
    pub fn claimed(self, claim: Claim) -> Self {
        Self { claim: Some(claim), ..self }
    }
}

impl From<Sources> for Tree {
    fn from(sources: Sources) -> Self {
        Self { sources, commit: None, claim: None }
    }
}
