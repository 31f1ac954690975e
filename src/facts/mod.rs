//! The reader of exports: it turns CSV or NDJSON into checked facts, one at a time.
//!
//! A row is either good or refused with its line, column, value and reason. A bad row has exactly one rejection, for
//! the first wrong column in file order. Memory is one window of the file, whatever its size. Only a file that makes no
//! sense as a whole (no header, a required column missing) is an [`Error`].

mod account;
mod columns;
mod csv;
mod error;
pub mod import;
mod ndjson;
mod phone;
mod reader;
mod referral;
mod signal;
mod time;
mod value;
mod window;

pub use self::account::accounts;
pub use self::error::Error;
pub use self::phone::phones;
pub use self::reader::{Format, Source};
pub use self::referral::referrals;
pub use self::time::instant;

use crate::core::domain::Rejection;

/// One row of an export.
pub type Row<F> = Result<F, Rejection>;

/// The receiver of the facts is gone, so reading can stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;
