//! Pure state machines of runs, targets and messages, which own every transition.
//!
//! SQL that moves many rows at once repeats these rules in its `where`; `tests/it/lifecycle_table` checks it against them.

pub mod detail;
pub mod enrollment;
pub mod event;
pub mod message;
pub mod notification;
pub mod ordering;
pub mod outcome;
pub mod overrides;
mod phase;
pub mod restriction;
pub mod run;
pub mod send_resources;
pub mod target;
