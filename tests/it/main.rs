//! Behaviour seen from outside: one binary, a file per behaviour.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod manifests;
mod robustness;
