//! Where manifests come from.

mod directory;

pub use self::directory::{Error, digest, load, roots};
