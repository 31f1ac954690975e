//! The exit codes of the process, as `docs/src/guides/scripts.md` lists them.

use std::process::{ExitCode, Termination};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: success, without findings.
    Fine,
    /// 1: findings, failed tests or a refused plan.
    Findings,
    /// 2: wrong usage, or a missing dependency in the environment. With `plan --detailed-exitcode`: there are changes.
    Environment,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::Environment => 2,
        })
    }
}
