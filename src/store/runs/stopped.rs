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

/// The id of the last event, and a [`RestrictedRun`] or nothing.
type Row = (i64, Option<String>, Option<Json<Detail>>, Option<i64>);

impl Store {
    /// Returns the runs paused for a problem after the event with this id, and the id of the last event; `None` counts
    /// nothing that happened before this call.
    pub async fn stopped_since(&self, event: Option<i64>) -> Result<(i64, Vec<RestrictedRun>), Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select last.id, s.reason, s.detail, s.runs
             from (select coalesce(max(id), 0) as id from event) last
             left join lateral (
               select e.reason, e.detail, count(*) as runs from event e
               where e.id > coalesce($1, last.id) and e.id <= last.id and e.kind = 'run-phase' and e.after = 'paused'
                 and e.reason = any($2)
               group by 1, 2 order by 3 desc, 1, 2 limit $3) s on true",
        )
        .bind(event)
        .bind(REASONS.map(Reason::as_str))
        .bind(MOST)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read why runs stopped"))?;
        let last = rows.first().map_or(0, |row| row.0);
        let stopped = |(_, reason, detail, runs): Row| {
            let Json(detail) = detail?;
            Some(RestrictedRun { reason: reason?, detail, runs: runs? })
        };
        Ok((last, rows.into_iter().filter_map(stopped).collect()))
    }
}
