//! The schemas of manifests, one file per kind. They depend only on the syntax and the resolved model.

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
pub(super) mod whatsapp_template;
