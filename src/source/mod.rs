//! Where manifests come from.

mod directory;
mod watch;

pub use self::directory::{Error, digest, load, roots};
pub use self::watch::Watch;
