//! The resources that a caller reads. Their shapes are those of `relancectl get -o json`.

pub(super) mod accounts;
pub(super) mod campaigns;
pub(super) mod config;
pub(super) mod events;
pub(super) mod messages;
pub(super) mod revisions;
pub(super) mod runs;
pub(super) mod scope;
pub(super) mod targets;
