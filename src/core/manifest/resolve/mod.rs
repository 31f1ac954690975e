//! The steps from files to the desired state: read, check, resolve references and defaults.

mod account;
mod annotations;
pub(super) mod attributes;
mod blame;
mod campaign;
pub(super) mod check;
pub(super) mod checked;
mod desired;
pub(super) mod edit;
pub(super) mod locate;
mod order;
mod read;
mod references;
mod unseen;
mod versions;
