//! relance: follow-up campaigns from files.
//!
//! A team writes what it wants in YAML (*desired*), imports say what is so about people (*facts*), and Postgres holds what
//! was done about it (*actual*). The program compares these three and takes the next step.
//!
//! ```text
//! YAML → source → core::manifest → core::plan → store       daemon::reconcile
//! exports → facts → store                                   facts::import
//! store (who matches) → targets                             daemon::enroll
//! store → core::dispatch → store → channel → store          daemon::dispatcher
//! provider → server → store → channel::webhook → store      daemon::receive
//! ```
//!
//! | room | task | imports |
//! |---|---|---|
//! | [`core`] | decides, never acts | nothing |
//! | [`config`] | reads the environment | nothing |
//! | [`source`] | reads and watches files and git repositories | `core` |
//! | [`postgres`] | runs the embedded server; knows nothing of campaigns | `core` |
//! | [`store`] | speaks SQL; one verb is one transaction | `core` |
//! | [`channel`] | hands messages to providers and reads what they post | `core`, `config` |
//! | [`facts`] | reads exports, normalises them, imports them | `core`, `store` |
//! | [`server`] | answers HTTP | `core`, `store`, `channel` |
//! | [`daemon`] | ticks, and the loops around them | all above but `server` |
//! | [`time_machine`] | runs all of it on a virtual clock | all above but `server` |
//! | [`cli`] | one file a command | everything |
//!
//! Time is an argument everywhere; only [`store::Store::now`] reads it. `tests/it/architecture.rs` enforces the table.

pub mod channel;
pub mod cli;
pub mod config;
pub mod core;
pub mod daemon;
pub mod facts;
pub mod postgres;
pub mod server;
pub mod source;
pub mod store;
pub mod time_machine;
