//! Tests that need a database or several processes: one binary, a file per behaviour.

#![expect(clippy::unwrap_used, reason = "clippy sees test functions, not the helpers around them")]

mod embedded;
mod support;
