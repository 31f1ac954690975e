//! The failures of a test, with the events of the people and runs concerned.

use serde_json::Value;

use crate::core::diagnostic::Diagnostic;
use crate::core::domain::Timestamp;

/// A difference between an expectation and the world, or a step that could not be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The diagnostic, placed at the expectation or at the step.
    pub finding: Diagnostic,
    /// Null where the test expects no rows.
    pub expected: Value,
    pub found: Value,
    /// The expected and the found values, line by line.
    pub diff: Vec<String>,
    /// The last events of the subjects concerned, in order.
    pub events: Vec<Happened>,
}

/// An event in the world of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    pub to: Subject,
    /// `None` if the entry describes the present state.
    pub at: Option<Timestamp>,
    pub what: String,
}

/// The person or run that an event concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A referral, by external id.
    Person(String),
    Run {
        campaign: String,
        account: String,
    },
}
