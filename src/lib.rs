//! relance: follow-up campaigns from files.
//!
//! What a team wants stands in YAML (*desired*), what is so about people comes from imports (*facts*), what was done
//! about it is in Postgres (*actual*). Everything here compares these three and takes the next step.
//!
//! ```text
//! YAML → source → manifest → plan → store.apply          reconcile
//! exports → facts → store                                import
//! store → matcher → targets                              runner::enroll
//! store → lane (gate, pacing, program) → store → channel → store      runner::send
//! provider → server → store → webhook → store            runner::receive
//! ```
//!
//! | room | what it does | may |
//! |---|---|---|
//! | [`domain`] | words as types that refuse nonsense | nothing but compute |
//! | [`diagnostic`] | findings with a place, and how they look | compute |
//! | [`manifest`], [`template`] | YAML to [`manifest::Desired`]; texts to messages | compute |
//! | [`lifecycle`] | every transition of runs, targets, messages | compute |
//! | [`consent`] | STOP and START, in many languages | compute |
//! | [`webhook`] | what providers post to us | compute |
//! | [`gate`], [`pacing`], [`cadence`], [`lane`] | who is written to now, and why not | compute |
//! | [`plan`] | what would change, and what no daemon does by itself | compute |
//! | [`program`], [`preview`] | the desired state compiled for sending; what it would say | compute |
//! | [`source`], [`facts`], [`secret`] | files, exports and secrets | read files |
//! | [`store`] | all SQL; a private Postgres | speak to Postgres |
//! | [`channel`], [`notice`], [`outgoing`] | how messages leave; how people are told; calls to other servers | call out |
//! | [`standin`] | a Graph API on this machine, for tests and demos | answer calls, post webhooks |
//! | [`import`](mod@import), [`reconcile`](mod@reconcile), [`estimate`](mod@estimate) | one import, one pass, one look ahead | call the store |
//! | [`state`] | what a plan needs of a database, as a file | call the store |
//! | [`server`] | what comes in over HTTP | call the store |
//! | [`runner`] | ticks and the loops around them | everything but the command line |
//! | [`time_machine`] | all of it on a clock that jumps | everything but the command line |
//! | [`cli`] | one file a command | everything |
//!
//! Time is an argument everywhere; only [`store::Store::now`] reads it. `tests/it/architecture.rs` enforces the table.

pub mod cadence;
pub mod channel;
pub mod cli;
pub mod config;
pub mod consent;
pub mod diagnostic;
pub mod domain;
pub mod estimate;
pub mod facts;
pub mod gate;
pub mod health;
pub mod import;
pub mod lane;
pub mod lifecycle;
pub mod manifest;
pub mod notice;
pub mod outgoing;
pub mod pacing;
pub mod plan;
pub mod preview;
pub mod program;
pub mod reconcile;
pub mod runner;
pub mod secret;
pub mod server;
pub mod source;
pub mod standin;
pub mod state;
pub mod store;
pub mod template;
pub mod time_machine;
pub mod webhook;
