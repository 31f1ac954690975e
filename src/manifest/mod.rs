//! Manifests: what a team writes in YAML, read, checked and resolved.
//!
//! `sources` (files) → `yaml` (trees that know their bytes) → `read` (kind, shape, one manifest on its own) →
//! `resolve` (references, defaults) → [`Desired`]. Each kind has a file with its types as they are written;
//! [`schema()`] makes JSON Schemas of them. Nothing stops at the first mistake.

mod account;
mod annotations;
mod ban_risk;
mod blame;
mod by_channel;
mod campaign;
pub mod campaign_test;
mod channel;
mod check;
mod circle;
mod clash;
mod days;
mod defaults;
pub mod desired;
mod document;
mod filter;
mod fit;
mod formats;
mod kind;
mod language;
mod locate;
mod notifier;
mod order;
mod overlap;
pub mod policy;
mod queue;
mod read;
mod resolve;
mod resolve_campaign;
mod safety;
mod schedule;
mod schema;
mod secret;
mod sequence;
mod shape;
mod sources;
mod written;
mod yaml;

pub use self::check::{Checked, check};
pub use self::desired::Desired;
pub use self::fit::Misfit;
pub use self::kind::Kind;
pub use self::language::{Choice, choose};
pub use self::locate::locate;
pub use self::schema::{schema, schema_file_name};
pub use self::sources::{MAX_FILE_BYTES, SourceFile, Sources};
pub use self::written::{Draft, Written, campaigns, kinds, overlay};
