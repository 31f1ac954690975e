//! Why a whole file cannot be read.

use std::io;

use thiserror::Error;

/// A file that is refused as a whole; nothing of it goes in.
#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot read `{name}`")]
    Read {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("{name}:{line}: {reason}")]
    Refused { name: String, line: u64, reason: String },
    /// Whoever takes the rows went away; it knows why.
    #[error("reading was stopped")]
    Interrupted,
}
