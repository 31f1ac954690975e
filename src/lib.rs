//! relance.

pub mod cli;
pub mod domain;
pub mod manifest;
pub mod store;
