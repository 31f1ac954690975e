//! Tests that take long: daemons that are killed, random walks, forecasts held against simulations, swapped links. Many
//! take a number of rounds from the environment.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the fast and the slow tests use different parts of it")]
mod support;

mod campaign_tests;
mod chaos;
mod convergence;
mod crash;
mod daemon;
mod dice;
mod forecast;
mod lanes;
mod matcher;
mod members;
mod robustness;
mod simulate;
mod state;
mod statuses;
mod stop;
mod storm;
mod swaps;
mod takeover;
mod walk;
