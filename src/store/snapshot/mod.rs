//! An exported state: what a plan needs of a database, without what tells who the people are. It leaves as rows of
//! JSON, and comes into another database, where the same planner plans on it.
//!
//! Names, e-mail addresses, phones, texts and the ids that imports gave to people stay. A phone leaves as a stand-in
//! that is the same wherever the phone is, so that one person still is one, and that no other export has.

pub(super) mod copy;
pub mod file;
mod tables;

use futures_util::TryStreamExt;
use sqlx::{PgConnection, Postgres, Transaction};

use self::tables::{TABLES, Table};
use super::control::desired::in_force;
use super::{Error, InForce, MIGRATOR, Store};
use crate::core::domain::Timestamp;

/// Rows handed over in one go.
const BATCH: usize = 1_000;

/// A database at one instant, about to leave it.
#[derive(Debug)]
pub struct Leaving {
    tx: Transaction<'static, Postgres>,
    pub at: Timestamp,
    pub in_force: InForce,
    /// The git commit of the newest revision.
    pub commit: Option<String>,
}

/// An empty database that a state comes into. Nothing is there until [`Arriving::finish`].
#[derive(Debug)]
pub struct Arriving(Transaction<'static, Postgres>);

impl Store {
    /// Holds the state of this instant fast, to be read row by row.
    pub async fn leaving(&self) -> Result<Leaving, Error> {
        const OPERATION: &str = "read the state to export";
        let mut tx = self.looking().await?;
        let in_force = in_force(&mut tx).await?;
        let commit = sqlx::query_scalar("select \"commit\" from revision where id = $1")
            .bind(in_force.revision)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        // What the transaction sees happened before: it began with the first of these reads.
        let (at, _) = self.now().await?;
        Ok(Leaving { tx, at, in_force, commit: commit.flatten() })
    }

    /// Begins to fill this database, which must be migrated and empty.
    pub async fn arriving(&self) -> Result<Arriving, Error> {
        let tx = self.pool.begin().await.map_err(Error::during("begin to load a state"))?;
        Ok(Arriving(tx))
    }

    /// By which the tables of two programs are known to be the same.
    pub fn schema_version() -> i64 {
        MIGRATOR.iter().map(|step| step.version).max().unwrap_or_default()
    }
}

impl Leaving {
    /// Hands over the rows of every table, some at a time, with the attributes of people and accounts that are in
    /// `attributes`, or all of them.
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
    /// Puts the rows of `line` into a table; `None` when there is none of the name.
    pub async fn rows(&mut self, table: &str, line: &str) -> Result<Option<u64>, Error> {
        let Some(Table { into, .. }) = TABLES.into_iter().find(|known| known.name == table) else { return Ok(None) };
        let done = sqlx::query(into)
            .bind(line)
            .execute(&mut *self.0)
            .await
            .map_err(Error::during("load a line of an exported state"))?;
        Ok(Some(done.rows_affected()))
    }

    /// Has the state be there.
    pub async fn finish(mut self) -> Result<(), Error> {
        sqlx::query("analyze account, referral, run, lane, target, message")
            .execute(&mut *self.0)
            .await
            .map_err(Error::during("analyze the loaded state"))?;
        self.0.commit().await.map_err(Error::during("commit the loaded state"))
    }
}

/// Selected by the server, and known to nobody when the export is over.
async fn secret(tx: &mut PgConnection) -> Result<Vec<u8>, Error> {
    sqlx::query_scalar("select uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())")
        .fetch_one(tx)
        .await
        .map_err(Error::during("draw the secret of an export"))
}
