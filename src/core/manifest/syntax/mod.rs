//! The syntax of manifests: YAML as trees of values with byte positions.

pub(super) mod document;
pub(super) mod expansion;
pub(super) mod fault;
pub(super) mod header;
pub(super) mod sources;
pub(super) mod written;
pub(super) mod yaml;
