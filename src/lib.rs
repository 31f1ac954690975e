//! relance.

pub mod channel;
pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod domain;
pub mod facts;
pub mod gate;
pub mod lane;
pub mod lifecycle;
pub mod import;
pub mod manifest;
pub mod pacing;
pub mod plan;
pub mod program;
pub mod reconcile;
pub mod runner;
pub mod source;
pub mod store;
pub mod template;
