//! The life of runs, targets and messages: pure state machines, the only owners of every transition.
//!
//! SQL that moves many rows at once repeats these rules in its `where`; `tests/it` holds it against them.

pub mod enrollment;
pub mod event;
pub mod means;
pub mod message;
pub mod operator;
mod phase;
pub mod run;
pub mod settlement;
pub mod stop;
pub mod target;
pub mod turn;
