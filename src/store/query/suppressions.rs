//! Suppressions as users see them.

use serde::Serialize;

use super::{Error, Page, Store};
use crate::core::domain::Timestamp;

/// A suppressed phone: `suppress list -o json`. It is unmasked for scripts; tables mask it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Suppression {
    pub phone: String,
    /// The source of the suppression: `reply`, `operator`, `import` or `channel`.
    pub source: String,
    /// The operator, if the source is one.
    pub actor: Option<String>,
    /// The operator's reason.
    pub reason: Option<String>,
    /// The person's message, if a reply is the source.
    pub said: Option<String>,
    pub suppressed_at: Timestamp,
}

impl Store {
    /// Returns suppressions in the order of creation; with a limit, the latest.
    pub async fn suppressions(&self, limit: Option<i64>) -> Result<Page<Suppression>, Error> {
        let mut tx = self.looking().await?;
        let rows: Vec<Suppression> = sqlx::query_as(
            "select * from (
               select phone, source, actor, reason, said, suppressed_at from suppression
               order by suppressed_at desc, phone desc limit $1) s
             order by suppressed_at, phone",
        )
        .bind(limit)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("read the suppressions"))?;
        if !Page::is_full(&rows, limit) {
            return Ok(Page::new(rows, None));
        }
        let total: i64 = sqlx::query_scalar("select count(*) from suppression")
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::during("count the suppressions"))?;
        Ok(Page::new(rows, Some(total)))
    }
}
