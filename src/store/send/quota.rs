//! Quota that comes back.

use sqlx::PgConnection;

use crate::core::domain::NaiveDate;
use crate::store::Error;
use crate::store::keys::Keys;

/// Gives the quota of a day back, unless that day is over: then it is worth nothing.
pub(in crate::store) async fn give_back(tx: &mut PgConnection, keys: Keys, days: Vec<NaiveDate>) -> Result<(), Error> {
    sqlx::query(include_str!("quota_give_back.sql"))
        .bind(keys.accounts)
        .bind(keys.campaigns)
        .bind(days)
        .execute(tx)
        .await
        .map_err(Error::during("give quota back"))?;
    Ok(())
}
