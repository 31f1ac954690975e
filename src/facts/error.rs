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
    /// The header lacks required columns: perhaps it calls them otherwise.
    #[error("{name}:{line}: no column{} {}; the header has {}", plural(missing), quoted(missing), quoted(found))]
    MissingColumns { name: String, line: u64, missing: Vec<&'static str>, found: Vec<String> },
    /// The receiver of the rows stopped, and it knows why.
    #[error("reading was stopped")]
    Interrupted,
}

fn plural<T>(names: &[T]) -> &'static str {
    if names.len() == 1 { "" } else { "s" }
}

fn quoted<T: std::fmt::Display>(names: &[T]) -> String {
    if names.is_empty() {
        return "no names".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
