//! Reading exports: CSV or NDJSON in, checked facts out, one at a time.
//!
//! A row is good or it is refused with its line, column, value and reason: exactly one rejection a bad row, for
//! the first column in file order that is wrong. Memory is one window of the file, whatever its size.
//! Only a file that makes no sense as a whole (no header, a required column missing) is an [`Error`].

mod account;
mod columns;
mod csv;
mod error;
pub mod import;
mod ndjson;
mod phone;
mod reader;
mod referral;
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

/// What the caller's side of a reading says: the receiver of the facts is gone, so reading can stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;
