//! Manifests in commits, by the git program.
//!
//! The program and no library: ssh keys and agents, credential helpers, proxies, certificates and `insteadOf` work here
//! as they do in the user's own terminal, and so do security fixes of the distribution. Nothing is ever checked out, so
//! no hook, filter or submodule runs: files are read as the commit has them (one that is kept in LFS is its pointer).

mod commit;
mod identity;
mod program;
mod remote;

pub use self::commit::{Error, load_commit};
pub use self::remote::{Remote, RemoteError};
