//! From files to the desired state: read, check, resolve references and defaults.

pub(super) mod blame;
pub(super) mod campaign;
pub(super) mod check;
pub(super) mod edit;
pub(super) mod locate;
pub(super) mod read;
pub(super) mod references;
