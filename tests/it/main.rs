//! Behaviour seen from outside: one binary, a file per behaviour, on a real Postgres where one is needed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod accidents;
mod architecture;
mod crash;
mod daemon;
mod edits;
mod embedded;
mod facts;
mod get;
mod history;
mod import;
mod look;
mod manifests;
mod matcher;
mod preview;
mod reconcile;
mod replies;
mod robustness;
mod samples;
mod sending;
mod simulate;
mod support;
mod walk;
mod world;
