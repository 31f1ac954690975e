//! relance.

pub mod cli;
pub mod domain;
pub mod facts;
pub mod import;
pub mod manifest;
pub mod store;
