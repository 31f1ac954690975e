//! Databases restored into another cluster (`pg_dump`, `psql`): log positions are transaction ids, and the new cluster
//! has its own sequence of these.

use crate::store::{Error, Store};

const OPERATION: &str = "make the log readable in another cluster";

impl Store {
    /// Resets log positions that are ahead of this cluster's transaction ids: all present events count as earlier than
    /// any new one, and readers continue with new events only.
    pub(in crate::store) async fn adopt_log(&self) -> Result<(), Error> {
        let is_foreign: bool = sqlx::query_scalar(
            "select exists (select from event where xid >= pg_snapshot_xmax(pg_current_snapshot()))
                    or exists (select from notifier where pg_snapshot_xmax(cursor) > pg_snapshot_xmax(pg_current_snapshot()))",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        if !is_foreign {
            return Ok(());
        }
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        // A concurrent process waits here and then sees the result of the first.
        sqlx::query("select from notifier order by name for update")
            .execute(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        // 3 is the first normal transaction id of any cluster. Transactions in progress here are not affected.
        sqlx::query(
            "with moved as (
               update notifier set cursor = pg_current_snapshot()
               where pg_snapshot_xmax(cursor) > pg_snapshot_xmax(pg_current_snapshot()))
             update event set xid = '3' where not pg_visible_in_snapshot(xid, pg_current_snapshot())",
        )
        .execute(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        tx.commit().await.map_err(Error::during(OPERATION))
    }
}
