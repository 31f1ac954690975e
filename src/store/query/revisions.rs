//! Revisions as users see them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Error, Store, Wanted};
use crate::core::domain::Timestamp;

/// An accepted state of the files: `get revisions -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Revision {
    /// The revision's number, which runs refer to.
    pub id: i32,
    /// The digest of the files.
    pub digest: String,
    pub commit: Option<String>,
    pub author: Option<String>,
    /// The source in whose name it was applied; null if none was given.
    pub source: Option<String>,
    /// The git repository, if the files came from one and no source was named.
    pub repository: Option<String>,
    pub accepted_at: Timestamp,
    /// The person or the daemon that applied it.
    pub applied_by: Option<String>,
    /// The person who approved the changes; null if no approval was needed.
    pub approved_by: Option<String>,
    pub approval_reason: Option<String>,
    /// The digest of the plan.
    pub plan_digest: Option<String>,
    /// The changes, as in `plan -o json`.
    pub changes: Value,
}

impl Revision {
    /// Returns the source for display: a repository by its address.
    pub fn source_shown(&self) -> Option<&str> {
        self.repository.as_deref().or(self.source.as_deref())
    }
}

/// A manifest in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Manifest {
    pub kind: String,
    pub name: String,
}

macro_rules! select {
    ($from:literal, $rest:literal) => {
        concat!(
            "select r.id, r.digest, r.\"commit\", r.author, r.source, r.repository, r.accepted_at, r.applied_by, p.approved_by,
                    p.approval_reason, r.plan_digest, r.plan as changes
             from ",
            $from,
            " r left join refused_plan p on p.revision_id = r.id ",
            $rest
        )
    };
}

impl Store {
    /// Returns revisions of `wanted` (limit) in the order of acceptance; with a limit, the latest.
    pub async fn revisions(&self, wanted: &Wanted) -> Result<Vec<Revision>, Error> {
        sqlx::query_as(select!("(select * from revision order by id desc limit $1)", "order by r.id"))
            .bind(wanted.limit)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("read the revisions"))
    }

    /// Returns the latest revisions before the one with number `before`, newest first.
    pub async fn revisions_before(&self, before: Option<i32>, limit: i64) -> Result<Vec<Revision>, Error> {
        sqlx::query_as(select!(
            "(select * from revision where $1::int is null or id < $1 order by id desc limit $2)",
            "order by r.id desc"
        ))
        .bind(before)
        .bind(limit)
        .persistent(false)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the revisions"))
    }

    /// Returns a revision by its number.
    pub async fn revision(&self, id: i32) -> Result<Option<Revision>, Error> {
        sqlx::query_as(select!("revision", "where r.id = $1"))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::during("read a revision"))
    }

    /// Returns the manifests that last changed in this revision and are still in force.
    pub async fn manifests_of(&self, revision: i32) -> Result<Vec<Manifest>, Error> {
        sqlx::query_as("select kind, name from manifest where revision_id = $1 order by kind, name")
            .bind(revision)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("read the manifests of a revision"))
    }
}
