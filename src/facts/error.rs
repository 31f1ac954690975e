//! The errors that refuse a whole file.

use std::io;

use thiserror::Error;

/// The refusal of a whole file; nothing from it is imported.
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
    /// The receiver of the rows stopped, and it knows why.
    #[error("reading was stopped")]
    Interrupted,
}
