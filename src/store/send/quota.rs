//! Quota that comes back.

use sqlx::PgConnection;

use crate::core::domain::NaiveDate;
use crate::store::Error;
use crate::store::keys::Keys;

/// Gives the quota of a day back, unless that day is over: then it is worth nothing.
pub(in crate::store) async fn give_back(tx: &mut PgConnection, keys: Keys, days: Vec<NaiveDate>) -> Result<(), Error> {
    sqlx::query(
        "with back as (
           select account_id, campaign_id, day, count(*)::int as n
           from unnest($1::int[], $2::int[], $3::date[]) as u (account_id, campaign_id, day) group by 1, 2, 3),
         lanes as (
           update lane l set taken = l.taken - u.n
           from (select account_id, day, sum(n)::int as n from back group by 1, 2) u
           where l.account_id = u.account_id and l.taken_on = u.day)
         update run r set taken = r.taken - u.n from back u
         where r.account_id = u.account_id and r.campaign_id = u.campaign_id and r.taken_on = u.day",
    )
    .bind(keys.accounts)
    .bind(keys.campaigns)
    .bind(days)
    .execute(tx)
    .await
    .map_err(Error::during("give quota back"))?;
    Ok(())
}
