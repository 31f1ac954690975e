//! YAML as trees of values that know their bytes.

pub(super) mod document;
pub(super) mod header;
pub(super) mod sources;
pub(super) mod written;
pub(super) mod yaml;
