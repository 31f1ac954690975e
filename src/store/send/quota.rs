//! Return of quota.

use sqlx::PgConnection;

use crate::core::domain::NaiveDate;
use crate::store::Error;
use crate::store::keys::Keys;

/// Returns the quota of a day, unless that day is over.
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
