//! Findings as values: code, severity, sentence, place and help.
//!
//! Rendering is separate ([`text`], [`json`]), so that a finding can be stored and shown later. A message is one
//! sentence with names in backticks; the help line holds the fix.

mod code;
pub mod json;
mod nearest;
mod place;
pub mod text;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::code::Code;
pub use self::nearest::{did_you_mean, nearest};
pub use self::place::{Lines, Place, Position, Span};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The manifest with the finding is not used.
    Error,
    /// Advice; the manifest is used.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub place: Place,
    /// Other places that explain the finding, each with a label.
    pub related: Vec<(Place, String)>,
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns a finding with the severity of its code.
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, severity: code.severity(), message: message.into(), place, related: Vec::new(), help: None }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn help_if(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    #[must_use]
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push((place, label.into()));
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Writes one line for logs: `error[RL0301] campaigns/a.yaml:6:13: …`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, start, .. } = &self.place;
        let (severity, code) = (self.severity, self.code.id());
        write!(f, "{severity}[{code}] {file}:{}:{}: {}", start.line, start.column, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Sorts findings by file, from top to bottom, and removes duplicates.
pub fn sort(found: &mut Vec<Diagnostic>) {
    found.sort_by(|a, b| {
        let place = |d: &Diagnostic| (d.place.span.start, d.severity, d.code);
        let by_file = a.place.file.cmp(&b.place.file);
        by_file.then_with(|| place(a).cmp(&place(b))).then_with(|| a.message.cmp(&b.message))
    });
    found.dedup();
}
