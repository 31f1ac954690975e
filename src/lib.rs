//! relance.

pub mod cli;
pub mod config;
pub mod domain;
pub mod manifest;
pub mod store;
