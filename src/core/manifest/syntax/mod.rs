//! The syntax of manifests: YAML as trees of values with byte positions.

pub(super) mod document;
mod fault;
pub(super) mod header;
pub(super) mod sources;
pub(super) mod written;
pub(super) mod yaml;
