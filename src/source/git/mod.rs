//! Manifests in commits, read with the git program.
//!
//! The program is used instead of a library, so that the user's setup applies: ssh keys and agents, credential helpers,
//! proxies, certificates and `insteadOf`. Security fixes of the distribution apply too. Nothing is ever checked out, so
//! no hook, filter or submodule runs. Files are read as the commit has them; a file in LFS is its pointer.

mod commit;
mod identity;
mod program;
mod remote;

pub use self::commit::{Error, load_commit};
pub use self::remote::{Remote, RemoteError};
