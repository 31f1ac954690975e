//! The result of one test.

use std::time::Duration;

use crate::time_machine::test::Report;

/// A test's report, and its duration.
pub(super) struct Ran {
    pub(super) report: Report,
    pub(super) took: Duration,
}

impl Ran {
    pub(super) fn is_ok(&self) -> bool {
        self.report.failures.is_empty()
    }
}
