//! Decides and never acts: no async, no I/O, no clock, no randomness, no SQL.
//!
//! Each room imports only rooms above it in this table:
//!
//! | room | what it decides |
//! |---|---|
//! | [`domain`] | words as types whose constructors reject bad values |
//! | [`access`] | roles and tokens of the API |
//! | [`diagnostic`] | findings with a place, and how they are shown |
//! | [`consent`] | STOP and START words in many languages |
//! | [`template`] | texts of messages: parse, check, render |
//! | [`manifest`] | YAML to [`manifest::Desired`] |
//! | [`lifecycle`] | every transition of runs, targets and messages |
//! | [`dispatch`] | may this message go now, and if not, when |
//! | [`plan`] | what would change, for whom and until when |

pub mod access;
pub mod consent;
pub mod diagnostic;
pub mod dispatch;
pub mod domain;
pub mod lifecycle;
pub mod manifest;
pub mod plan;
pub mod template;
