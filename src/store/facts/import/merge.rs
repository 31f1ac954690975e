//! Shared parts of merging accounts and merging referrals.

use sqlx::PgConnection;

use crate::core::domain::{Heard, Rejection};
use crate::store::Error;

/// The result of merging the staged rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// Rows that are well-formed, but contradict what is stored.
    pub rejected: Vec<Rejection>,
    /// The numbers of refused rows whose opt-out or payment has an effect.
    pub heard: Heard,
}

/// Runs statements that take no arguments.
pub(super) async fn run(tx: &mut PgConnection, sql: &'static str, operation: &'static str) -> Result<u64, Error> {
    let done = sqlx::raw_sql(sql).execute(tx).await.map_err(Error::during(operation))?;
    Ok(done.rows_affected())
}

/// Rows as counted by the database.
pub(super) fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}
