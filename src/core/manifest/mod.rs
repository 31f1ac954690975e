//! Manifests: the YAML of a team, read, checked and resolved.
//!
//! `sources` (files) → `yaml` (trees with byte positions) → `read` (kind, shape, one manifest on its own) → `resolve`
//! (references, defaults) → [`Desired`]. Each kind has a file with its schema types, from which [`schema()`] derives
//! JSON Schemas. Checks collect every mistake and never stop at the first.

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
pub use self::resolve::attributes::{Attributes, unknown_columns};
pub use self::resolve::check::check;
pub use self::resolve::checked::Checked;
pub use self::resolve::edit::{Draft, campaigns, kinds, overlay};
pub use self::resolve::locate::locate;
pub use self::schema::{schema, schema_file_name};
pub use self::syntax::sources::{MAX_FILE_BYTES, SourceFile, Sources, Unread};
pub use self::syntax::written::Written;
