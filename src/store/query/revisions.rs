//! Revisions, as people see them.

use serde::Serialize;
use serde_json::Value;

use super::{Error, Store, Wanted};
use crate::core::domain::Timestamp;

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
    /// The person or the daemon who carried it out.
    pub applied_by: Option<String>,
    /// Who said that it is no accident; null when nobody had to.
    pub approved_by: Option<String>,
    pub approval_reason: Option<String>,
    /// What `plan` called it.
    pub plan_digest: Option<String>,
    /// What it changed, as in `plan -o json`.
    pub changes: Value,
}

impl Revision {
    /// In whose name it was applied, as people know it: a repository by its address.
    pub fn source_shown(&self) -> Option<&str> {
        self.repository.as_deref().or(self.source.as_deref())
    }
}

/// An object in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
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
    /// Revisions of `wanted` (limit) in the order they were accepted in; with a limit, the latest.
    pub async fn revisions(&self, wanted: &Wanted) -> Result<Vec<Revision>, Error> {
        sqlx::query_as(select!("(select * from revision order by id desc limit $1)", "order by r.id"))
            .bind(wanted.limit)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("read the revisions"))
    }

    /// One revision by its number.
    pub async fn revision(&self, id: i32) -> Result<Option<Revision>, Error> {
        sqlx::query_as(select!("revision", "where r.id = $1"))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::during("read a revision"))
    }

    /// What is still in force as this revision left it.
    pub async fn manifests_of(&self, revision: i32) -> Result<Vec<Manifest>, Error> {
        sqlx::query_as("select kind, name from manifest where revision_id = $1 order by kind, name")
            .bind(revision)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("read the manifests of a revision"))
    }
}
