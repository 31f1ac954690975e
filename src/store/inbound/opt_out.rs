//! Opt-out counts of accounts: a STOP or a block counts for every account that recently wrote to the person.
//! The caller holds the locks of the lanes.

use sqlx::PgConnection;

use crate::core::domain::{AccountId, Timestamp};
use crate::store::Error;
use crate::store::send::account_health as lane_health;

/// Counts `phones`, each of which has just opted out, for the accounts that wrote to them.
pub(super) async fn count(tx: &mut PgConnection, phones: &[String], now: Timestamp) -> Result<(), Error> {
    if phones.is_empty() {
        return Ok(());
    }
    // Only the last message to each phone counts; one before the window, or before the statistics restarted, does not.
    let written: Vec<(i32, Timestamp)> = sqlx::query_as(
        "select r.account_id, max(coalesce(m.sent_at, m.queued_at))
         from referral r join message m on (m.account_id, m.referral_id) = (r.account_id, r.id)
         where r.phone = any($1) and m.state <> 'queued' group by r.account_id, r.phone",
    )
    .bind(phones)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("find the senders of opted-out people"))?;
    if written.is_empty() {
        return Ok(());
    }
    let mut lanes = lane_health::read(tx, written.iter().map(|(account, _)| AccountId(*account)), now).await?;
    for (account, at) in written {
        if let Some(lane) = lanes.get_mut(&AccountId(account)) {
            lane.send_stats = lane.send_stats.opted_out(at);
        }
    }
    lane_health::save(tx, lanes, now).await
}
