//! Where manifests come from.

mod directory;
mod git;
mod watch;

pub use self::directory::{Error, digest, load, roots};
pub use self::git::{Error as GitError, load_commit};
pub use self::watch::Watch;
