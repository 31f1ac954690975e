//! Demo databases: a mark tells a disposable database from one with real data.
//!
//! The mark is a comment on the database itself, so that every version of the program can read it.

use crate::store::{Error, Store};

const MARK: &str = "relance demo";

/// The kind of data in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Nobody was ever imported.
    Nothing,
    /// Made by `run --demo`.
    Demo,
    /// Anything else.
    RealData,
}

impl Store {
    /// Returns the kind of data in the database at `url`, of any schema version.
    pub async fn contents(url: &str) -> Result<Contents, Error> {
        const OPERATION: &str = "read the contents of the database";
        let store = Self::connect(url, 1).await?;
        let contents = if store.is_demo().await? {
            Contents::Demo
        } else {
            let made: bool = sqlx::query_scalar("select to_regclass('account') is not null")
                .fetch_one(&store.pool)
                .await
                .map_err(Error::during(OPERATION))?;
            let filled = made
                && sqlx::query_scalar("select exists (select from account)")
                    .fetch_one(&store.pool)
                    .await
                    .map_err(Error::during(OPERATION))?;
            if filled { Contents::RealData } else { Contents::Nothing }
        };
        store.close().await;
        Ok(contents)
    }

    /// Returns true if anybody was ever imported.
    pub async fn has_people(&self) -> Result<bool, Error> {
        sqlx::query_scalar("select exists (select from account) or exists (select from referral)")
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during("look for people"))
    }

    /// Returns true if this is a demo database.
    pub async fn is_demo(&self) -> Result<bool, Error> {
        let comment: Option<String> = sqlx::query_scalar(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(Error::during("look for the demo's comment"))?;
        Ok(comment.as_deref() == Some(MARK))
    }

    /// Marks this database as a demo, which may be deleted.
    pub async fn mark_as_demo(&self) -> Result<(), Error> {
        sqlx::query(
            "do $$ begin execute format('comment on database %I is %L', current_database(), 'relance demo'); end $$",
        )
        .execute(&self.pool)
        .await
        .map_err(Error::during("mark the database as a demo"))?;
        Ok(())
    }
}
