//! Manifests: what a team writes in YAML, read, checked and resolved.

pub mod desired;
mod language;
mod sources;
mod yaml;

pub use self::desired::Desired;
pub use self::language::choose;
pub use self::sources::{MAX_FILE_BYTES, SourceFile, Sources};
