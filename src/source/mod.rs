//! The sources of manifests.

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

/// The time between two readings of directories, which must agree.
///
/// A checkout or an editor writes file after file. A campaign that moves between two files must not be missed.
const REST: Duration = Duration::from_millis(150);
/// The most readings of files that keep changing.
const RESTLESS: u32 = 40;

/// The source of a process's manifests.
#[derive(Debug, Clone)]
pub enum Source {
    /// The named directories; an empty list means the default ones.
    Directories(Vec<PathBuf>),
    Git(Remote),
}

/// Manifests, and their commit if they are from one.
#[derive(Debug, Clone)]
pub struct Tree {
    pub sources: Sources,
    pub commit: Option<Commit>,
    /// The source in whose name the manifests take effect; `None` if no other source is possible, as with a virtual
    /// clock.
    pub claim: Option<Claim>,
}

/// A request that the database follow a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub source: SourceId,
    /// True if the source takes over a database that follows another source.
    pub take_over: bool,
}

/// A commit of a git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    pub author: Option<String>,
}

/// The desired state is unknown. Callers must never take this for an empty one.
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
    /// Returns the repository's identity, for a source without a given name.
    pub fn repository(&self) -> Option<String> {
        match self {
            Self::Directories(_) => None,
            Self::Git(remote) => remote.identity(),
        }
    }

    /// Reads the current manifests.
    pub async fn read(&self) -> Result<Tree, ReadError> {
        match self {
            Self::Directories(named) => {
                // A slow disk holds up no other work of the process.
                let roots = roots(named);
                match tokio::task::spawn_blocking(move || load(&roots)).await {
                    Ok(loaded) => Ok(loaded?.into()),
                    Err(failed) => std::panic::resume_unwind(failed.into_panic()),
                }
            }
            Self::Git(remote) => Ok(remote.pull().await?),
        }
    }

    /// Reads as [`Source::read`] does, but waits until the files of directories stop changing.
    ///
    /// Nothing else marks the end of a change there.
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
    /// Returns these manifests, claimed for a source.
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
