//! From columns to domain types. What is in the database was checked on its way in.

use super::Error;
use crate::domain::Zone;

/// A zone that an import accepted.
pub(super) fn zone(name: &str) -> Result<Zone, sqlx::Error> {
    Zone::parse(name).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A value of ours that the database should not be able to hold.
pub(super) fn strange(what: &str, value: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("`{value}` is not {what}").into())
}

/// For `map_err` after rows were turned into domain types.
pub(super) fn decode(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    Error::during(operation)
}
