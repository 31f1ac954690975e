//! The reader of exports: it turns CSV or NDJSON into checked facts, one at a time.
//!
//! A row is either good or refused with all its faults, each with its line, column, value and reason. Memory is one
//! window of the file, whatever its size. Only a file that makes no sense as a whole (no text, no header, a required
//! column missing) is an [`Error`].

mod account;
mod columns;
mod csv;
mod documented;
mod encoding;
mod error;
pub mod import;
mod ndjson;
mod phone;
mod reader;
mod referral;
mod row;
mod signal;
mod source;
mod time;
mod value;
mod window;

pub use self::account::accounts;
pub use self::documented::{Meaning, documented, likely, mapping};
pub use self::error::Error;
pub use self::phone::phones;
pub use self::referral::referrals;
pub use self::source::{Format, Reading, Source};
pub use self::time::{Days, instant};

use crate::core::domain::Rejection;

/// One row of an export, or its faults.
pub type Row<F> = Result<F, Vec<Rejection>>;

/// The receiver of the facts is gone, so reading can stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;
