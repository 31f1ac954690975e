//! The result of a lint.

use std::collections::BTreeSet;

use crate::core::diagnostic::Diagnostic;
use crate::core::domain::Name;

/// Findings, and the campaigns that must not be used because of them.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct Findings {
    pub(in crate::core::manifest) diagnostics: Vec<Diagnostic>,
    pub(in crate::core::manifest) broken: BTreeSet<Name>,
}
