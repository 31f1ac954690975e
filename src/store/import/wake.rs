//! After a merge: whoever lives by the facts has a look.

use sqlx::PgConnection;

use crate::domain::Timestamp;
use crate::store::Error;

/// Tells enrollment, lifecycle and sending of these accounts that their facts changed.
///
/// Lanes come first, since their rows are the locks of the accounts, and all in the order of their keys; last of all
/// and just before the commit, so that daemons that claim at this moment neither wait long nor meet us in a deadlock.
pub(super) async fn wake(tx: &mut PgConnection, accounts: &[i32], now: Timestamp) -> Result<(), Error> {
    if accounts.is_empty() {
        return Ok(());
    }
    for (sql, operation) in [
        (
            "with due as (select account_id from lane where account_id = any($1) order by account_id for no key update)
             update lane set wake_at = least(wake_at, $2) from due where lane.account_id = due.account_id",
            "wake the lanes",
        ),
        (
            "with due as (
                 select account_id, campaign_id from run
                 where account_id = any($1) and phase not in ('completed', 'cancelled')
                 order by account_id, campaign_id for no key update
             )
             update run set enroll_at = least(enroll_at, $2), check_at = least(check_at, $2)
             from due where run.account_id = due.account_id and run.campaign_id = due.campaign_id",
            "wake the runs",
        ),
    ] {
        sqlx::query(sql).bind(accounts).bind(now).execute(&mut *tx).await.map_err(Error::during(operation))?;
    }
    sqlx::query("update facts_generation set facts = facts + 1")
        .execute(tx)
        .await
        .map_err(Error::during("count the generation of facts"))?;
    Ok(())
}
