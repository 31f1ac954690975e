//! The failures of a test, and the events of those concerned.

use serde_json::Value;

use crate::core::diagnostic::Diagnostic;
use crate::core::domain::Timestamp;

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// At the expectation, or at the step that could not be done.
    pub finding: Diagnostic,
    /// Null where the test expects no rows.
    pub expected: Value,
    pub found: Value,
    /// Expected against found, line by line.
    pub diff: Vec<String>,
    /// The last events of those concerned, in their order.
    pub events: Vec<Happened>,
}

/// Something that happened in the world of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    pub to: Subject,
    /// `None`: how things stand.
    pub at: Option<Timestamp>,
    pub what: String,
}

/// Whose story it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A referral, by its id.
    Person(String),
    Run {
        campaign: String,
        account: String,
    },
}
