//! Snapshots: the part of a database that a plan needs, without data that identifies people.
//!
//! A snapshot leaves the database as JSON rows. Another database loads them, and the same planner plans on it there.
//!
//! Names, e-mail addresses, phones, texts and the people's external ids stay behind. A pseudonym replaces each phone.
//! It is the same for every occurrence of the phone within one export, so that one person remains one, and differs
//! between exports.

pub(super) mod copy;
pub mod file;
mod tables;

use futures_util::TryStreamExt;
use sqlx::{PgConnection, Postgres, Transaction};

use self::tables::{TABLES, Table};
use super::control::desired::in_force;
use super::{Error, InForce, MIGRATOR, Store};
use crate::core::domain::Timestamp;

/// The number of rows handed over at a time.
const BATCH: usize = 1_000;

/// A read transaction on the database to export, at one instant.
#[derive(Debug)]
pub struct Leaving {
    tx: Transaction<'static, Postgres>,
    pub at: Timestamp,
    pub in_force: InForce,
    /// The git commit of the newest revision.
    pub commit: Option<String>,
}

/// A transaction that loads a snapshot into an empty database. Nothing is visible until [`Arriving::finish`] commits.
#[derive(Debug)]
pub struct Arriving(Transaction<'static, Postgres>);

impl Store {
    /// Begins a transaction on the present state, whose rows can then be read.
    pub async fn leaving(&self) -> Result<Leaving, Error> {
        const OPERATION: &str = "read the state to export";
        let mut tx = self.looking().await?;
        let in_force = in_force(&mut tx).await?;
        let commit = sqlx::query_scalar("select \"commit\" from revision where id = $1")
            .bind(in_force.revision)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        // The clock is read after the first query, which fixed the transaction's snapshot; all it sees happened before.
        let (at, _) = self.now().await?;
        Ok(Leaving { tx, at, in_force, commit: commit.flatten() })
    }

    /// Begins to fill this database, which must be migrated and empty.
    pub async fn arriving(&self) -> Result<Arriving, Error> {
        let tx = self.pool.begin().await.map_err(Error::during("begin to load a state"))?;
        Ok(Arriving(tx))
    }

    /// Returns the version of the schema, by which two programs know that their tables are the same.
    pub fn schema_version() -> i64 {
        MIGRATOR.iter().map(|step| step.version).max().unwrap_or_default()
    }
}

impl Leaving {
    /// Passes the rows of every table to `take` in batches. The rows include only those attributes of people and
    /// accounts that are in `attributes`, or all of them for `None`.
    pub async fn rows<E: From<Error>>(
        mut self,
        attributes: Option<&[String]>,
        mut take: impl FnMut(&'static str, &[String]) -> Result<(), E>,
    ) -> Result<(), E> {
        let secret = secret(&mut self.tx).await?;
        for table in TABLES {
            let mut rows =
                sqlx::query_scalar(table.out).bind(&secret).bind(attributes).bind(self.at).fetch(&mut *self.tx);
            let mut batch: Vec<String> = Vec::new();
            while let Some(row) = rows.try_next().await.map_err(Error::during("read a table to export"))? {
                batch.push(row);
                if batch.len() == BATCH {
                    take(table.name, &batch)?;
                    batch.clear();
                }
            }
            if !batch.is_empty() {
                take(table.name, &batch)?;
            }
        }
        Ok(())
    }
}

impl Arriving {
    /// Inserts the rows of `line` into a table. Returns `None` if a snapshot has no table of that name.
    pub async fn rows(&mut self, table: &str, line: &str) -> Result<Option<u64>, Error> {
        let Some(Table { into, .. }) = TABLES.into_iter().find(|known| known.name == table) else { return Ok(None) };
        let done = sqlx::query(into)
            .bind(line)
            .execute(&mut *self.0)
            .await
            .map_err(Error::during("load a line of an exported state"))?;
        Ok(Some(done.rows_affected()))
    }

    /// Analyzes the loaded tables and commits them.
    pub async fn finish(mut self) -> Result<(), Error> {
        sqlx::query("analyze account, referral, run, lane, target, message")
            .execute(&mut *self.0)
            .await
            .map_err(Error::during("analyze the loaded state"))?;
        self.0.commit().await.map_err(Error::during("commit the loaded state"))
    }
}

/// Returns a random secret from the server, which is forgotten after the export.
async fn secret(tx: &mut PgConnection) -> Result<Vec<u8>, Error> {
    sqlx::query_scalar("select uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())")
        .fetch_one(tx)
        .await
        .map_err(Error::during("create the key of an export"))
}
