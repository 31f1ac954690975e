//! relance.

pub mod cli;
pub mod diagnostic;
pub mod domain;
pub mod facts;
pub mod manifest;
pub mod source;
pub mod store;
pub mod template;
