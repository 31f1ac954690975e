//! After a merge: whoever lives by the facts has a look.

use sqlx::PgConnection;

use crate::core::domain::Timestamp;
use crate::store::Error;

const LOCK: &str = "select from lane where account_id = any($1) order by account_id for no key update";
const LOCK_WITH_TWINS: &str = "select from lane
    where account_id = any($1) or account_id in (select account_id from twin)
    order by account_id for no key update";

/// Locks the lanes of `accounts` and, if asked, of everybody in the table `twin`. Their rows are the locks of the
/// accounts: from here to the commit nobody claims from them.
pub(super) async fn lock_lanes(tx: &mut PgConnection, accounts: &[i32], twins: bool) -> Result<(), Error> {
    let sql = if twins { LOCK_WITH_TWINS } else { LOCK };
    let locked = sqlx::query(sql).bind(accounts).persistent(false).execute(tx).await;
    locked.map(drop).map_err(Error::during("lock the lanes"))
}

/// Tells enrollment, lifecycle and sending of these accounts that their facts changed.
///
/// The lanes are locked by then; runs in the order of their keys, last of all and just before the commit.
pub(in crate::store) async fn wake(tx: &mut PgConnection, accounts: &[i32], now: Timestamp) -> Result<(), Error> {
    if accounts.is_empty() {
        return Ok(());
    }
    for (sql, operation) in [
        ("update lane set wake_at = least(wake_at, $2) where account_id = any($1)", "wake the lanes"),
        (
            "with due as (
                 select account_id, campaign_id from run
                 where account_id = any($1) and phase not in ('completed', 'cancelled')
                 order by account_id, campaign_id for no key update
             )
             update run set enroll_at = least(enroll_at, $2), check_at = least(check_at, $2), foreseen_at = null,
                 ahead_at = case when ahead_at is not null then $2 end
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
