//! Recently paused runs, for operators who watch a daemon.

use sqlx::types::Json;

use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::run::Reason;
use crate::store::{Error, Store};

/// The maximum number of reasons; the log has all of them.
const MOST: i64 = 10;
/// Reasons that point to a problem with channels, numbers or templates.
const REASONS: [Reason; 5] =
    [Reason::TemplateError, Reason::Frozen, Reason::ChannelUnhealthy, Reason::FailureRate, Reason::OptOutRate];

/// Runs that paused for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestrictedRun {
    pub reason: String,
    pub detail: Detail,
    pub runs: i64,
}

/// The snapshot of the read, and a [`RestrictedRun`] or nothing.
type Row = (String, Option<String>, Option<Json<Detail>>, Option<i64>);

impl Store {
    /// Returns the runs paused for a problem that were not visible in the snapshot `seen`, and the present snapshot; `None`
    /// counts nothing that happened before this call.
    ///
    /// Each event counts once: events get their numbers before their transactions commit, and these commit in any order.
    pub async fn stopped_since(&self, seen: Option<&str>) -> Result<(String, Vec<RestrictedRun>), Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select pg_current_snapshot()::text, s.reason, s.detail, s.runs
             from (select) here left join lateral (
               select e.reason, e.detail, count(*) as runs from event e
               where e.xid >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(e.xid, $1::pg_snapshot)
                 and e.kind = 'run-phase' and e.after = 'paused' and e.reason = any($2)
               group by 1, 2 order by 3 desc, 1, 2 limit $3) s on true",
        )
        .bind(seen)
        .bind(REASONS.map(Reason::as_str))
        .bind(MOST)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read why runs stopped"))?;
        let present = rows.first().map(|row| row.0.clone()).unwrap_or_default();
        let stopped = |(_, reason, detail, runs): Row| {
            let Json(detail) = detail?;
            Some(RestrictedRun { reason: reason?, detail, runs: runs? })
        };
        Ok((present, rows.into_iter().filter_map(stopped).collect()))
    }
}
