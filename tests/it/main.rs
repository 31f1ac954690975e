//! Behaviour seen from outside: one binary, a file per behaviour, on a real Postgres where one is needed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod accidents;
mod architecture;
mod campaign_tests;
mod chaos;
mod crash;
mod daemon;
mod edits;
mod embedded;
mod estimate;
mod explain;
mod facts;
mod forecast;
mod get;
mod gitops;
mod history;
mod import;
mod look;
mod manifests;
mod matcher;
mod operator;
mod overrides;
mod plan;
mod preview;
mod receipts;
mod reconcile;
mod replies;
mod robustness;
mod samples;
mod sending;
mod several;
mod simulate;
mod source;
mod support;
mod walk;
mod world;
