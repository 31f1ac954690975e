//! Revisions, as people see them.

use serde::Serialize;
use serde_json::Value;

use super::{Error, Store, Wanted};
use crate::domain::Timestamp;

/// One accepted state of the files: `get revisions -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Revision {
    /// Its number: what runs name as theirs.
    pub id: i32,
    /// Of the files.
    pub digest: String,
    pub commit: Option<String>,
    pub author: Option<String>,
    /// In whose name; null: nobody said.
    pub source: Option<String>,
    /// Of a source that nobody named, when it is one of git.
    pub repository: Option<String>,
    pub accepted_at: Timestamp,
    /// What it changed, as in `plan -o json`.
    pub changes: Value,
}

impl Store {
    /// Revisions of `wanted` (limit) in the order they were accepted in; with a limit, the latest.
    pub async fn revisions(&self, wanted: &Wanted) -> Result<Vec<Revision>, Error> {
        sqlx::query_as(
            "with latest as (select * from revision order by id desc limit $1)
             select id, digest, \"commit\", author, source, repository, accepted_at, plan as changes from latest order by id",
        )
        .bind(wanted.limit)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the revisions"))
    }

    /// One revision by its number.
    pub async fn revision(&self, id: i32) -> Result<Option<Revision>, Error> {
        sqlx::query_as(
            "select id, digest, \"commit\", author, source, repository, accepted_at, plan as changes from revision where id = $1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::during("read a revision"))
    }
}
