//! The kinds of manifests as they are written, a file per kind. They know the syntax and the resolved model, nothing else.

pub(super) mod account;
pub(super) mod annotations;
pub(super) mod campaign;
pub(super) mod channel;
pub(super) mod days;
pub(super) mod defaults;
pub(super) mod filter;
pub(super) mod formats;
pub(super) mod notifier;
pub(super) mod queue;
pub(super) mod safety;
pub(super) mod schedule;
pub(super) mod sequence;
