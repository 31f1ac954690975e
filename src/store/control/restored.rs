//! A database that was restored into another cluster (`pg_dump`, `psql`): the log says by numbers of transactions what
//! was read, and that cluster counts its own.

use crate::store::{Error, Store};

const OPERATION: &str = "make the log readable in another cluster";

impl Store {
    /// Has the log and its readers go on here, if they hold numbers that this cluster has not come to: all that is in
    /// the log was before whatever happens next, and who had read on is told only that.
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
        // Whoever comes at the same time goes by what the first has made of it.
        sqlx::query("select from notifier order by name for update")
            .execute(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        // 3 is the first number that a transaction gets anywhere. Those that happen to be under way here are not meant.
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
