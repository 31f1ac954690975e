//! Manifests: what a team writes in YAML, read, checked and resolved.
//!
//! `sources` (files) → `yaml` (trees that know their bytes) → `read` (kind, shape, one manifest on its own) →
//! `resolve` (references, defaults) → [`Desired`]. Each kind has a file with its types as they are written;
//! [`schema()`] makes JSON Schemas of them. Nothing stops at the first mistake.

pub mod desired;
mod kind;
mod kinds;
mod lint;
mod parsed;
mod resolve;
mod schema;
mod syntax;
pub mod testcase;

pub use self::desired::Desired;
pub use self::desired::language::{Choice, choose};
pub use self::kind::Kind;
pub use self::lint::consistency::Misfit;
pub use self::resolve::check::check;
pub use self::resolve::checked::Checked;
pub use self::resolve::edit::{Draft, campaigns, kinds, overlay};
pub use self::resolve::locate::locate;
pub use self::schema::{schema, schema_file_name};
pub use self::syntax::sources::{MAX_FILE_BYTES, SourceFile, Sources};
pub use self::syntax::written::Written;
