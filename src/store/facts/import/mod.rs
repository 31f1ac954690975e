//! Imports of facts: one transaction each.
//!
//! Rows stream through `COPY` into a temporary table and are merged set by set; the number of statements does not
//! depend on the number of rows, and neither does memory.
//!
//! - A row is as old as its `updated_at`, else as the import as a whole. Older than what is stored: it changes
//!   nothing. Equal in content: it writes nothing, not even its age.
//! - Of several rows with one id, the youngest counts, of equals the last; an opt-out in any of them stays.
//! - A column that the export lacks, and a row does not say, keeps its value.
//! - A stored opt-out is never revived, and a stored `paid_at` is not erased by an empty one, unless the row says
//!   by its own `updated_at` that it knows better.
//! - What an event said since (`store::fact`) stays, though the row be newer than all else that is stored.

mod account;
mod copy;
pub(in crate::store) mod merge;
mod person;
mod referral;

use std::collections::HashMap;

use sqlx::PgConnection;
use tokio::sync::mpsc;

use self::copy::Rows;
use self::merge::{Merged, run};
use crate::core::domain::{AccountFact, AccountId, ReferralFact, Timestamp};
use crate::core::lifecycle::event::EventKind;
use crate::store::event::{Event, tell};
use crate::store::lock::lock_imports;
use crate::store::{Error, Store};

/// Buffers on their way from the reading thread to Postgres.
const IN_FLIGHT: usize = 4;

/// The age of rows that do not say theirs, and the time of the import.
#[derive(Debug, Clone, Copy)]
pub struct Age {
    pub as_of: Timestamp,
    pub now: Timestamp,
}

/// Takes rows from a reading thread to the database.
#[derive(Debug)]
pub struct Stage {
    rows: Rows,
    as_of: Timestamp,
    staged: u64,
    refused: u64,
    sender: mpsc::Sender<Vec<u8>>,
}

/// The database side ended before the last row.
#[derive(Debug, Clone, Copy)]
pub struct Closed;

impl Stage {
    fn new(as_of: Timestamp, sender: mpsc::Sender<Vec<u8>>) -> Self {
        Self { rows: Rows::new(), as_of, staged: 0, refused: 0, sender }
    }

    pub fn account(&mut self, line: u64, fact: &AccountFact<'_>) -> Result<(), Closed> {
        account::encode(&mut self.rows, line, fact, self.as_of);
        self.sent()
    }

    pub fn referral(&mut self, line: u64, fact: &ReferralFact<'_>) -> Result<(), Closed> {
        referral::encode(&mut self.rows, line, fact, self.as_of);
        self.sent()
    }

    /// Notes, for the log, how many rows of the file were not staged.
    pub fn refused(&mut self, rows: usize) {
        self.refused = rows as u64;
    }

    fn sent(&mut self) -> Result<(), Closed> {
        self.staged += 1;
        match self.rows.full() {
            Some(buffer) => self.sender.blocking_send(buffer).map_err(|_| Closed),
            None => Ok(()),
        }
    }

    fn end(self) -> Result<u64, Closed> {
        self.sender.blocking_send(self.rows.end()).map_err(|_| Closed)?;
        Ok(self.staged)
    }
}

impl Store {
    /// Imports accounts. `read` runs on a thread of its own and stages them.
    ///
    /// Whatever `read` refuses with comes back as the inner error, and nothing was written.
    pub async fn import_accounts<T, E>(
        &self,
        age: Age,
        read: impl FnOnce(&mut Stage) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<(T, Merged), E>, Error>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin the import"))?;
        prepare(&mut tx).await?;
        run(&mut tx, account::CREATE, "create the staging table").await?;
        let staged = match stage(&mut tx, account::COPY, age.as_of, read).await? {
            Ok(staged) => staged,
            Err(refused) => return Ok(Err(refused)),
        };
        lock_imports(&mut tx).await?;
        let merged = account::merge(&mut tx, age.now, staged.rows).await?;
        self.tell_import(&mut tx, "accounts", staged.refused, &merged, age.now).await?;
        tx.commit().await.map_err(Error::during("commit the import"))?;
        Ok(Ok((staged.result, merged)))
    }

    /// Imports referrals. `read` runs on a thread of its own, is given the accounts by external id, and stages
    /// the referrals.
    ///
    /// Whatever `read` refuses with comes back as the inner error, and nothing was written.
    pub async fn import_referrals<T, E>(
        &self,
        age: Age,
        read: impl FnOnce(&HashMap<String, AccountId>, &mut Stage) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<(T, Merged), E>, Error>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin the import"))?;
        prepare(&mut tx).await?;
        run(&mut tx, referral::CREATE, "create the staging table").await?;
        let accounts = account::ids(&mut tx).await?;
        let read = move |stage: &mut Stage| read(&accounts, stage);
        let staged = match stage(&mut tx, referral::COPY, age.as_of, read).await? {
            Ok(staged) => staged,
            Err(refused) => return Ok(Err(refused)),
        };
        lock_imports(&mut tx).await?;
        let merged = referral::merge(&mut tx, age.now, staged.rows).await?;
        self.tell_import(&mut tx, "referrals", staged.refused, &merged, age.now).await?;
        tx.commit().await.map_err(Error::during("commit the import"))?;
        Ok(Ok((staged.result, merged)))
    }

    /// Tells of an import of `what`, of which `refused` rows were not even staged.
    async fn tell_import(
        &self,
        tx: &mut PgConnection,
        what: &str,
        refused: u64,
        merged: &Merged,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Merged { inserted, updated, unchanged, rejected } = merged;
        let rejected = refused + rejected.len() as u64;
        let sentence = format!(
            "imported {what}: {inserted} inserted, {updated} updated, {unchanged} unchanged, {rejected} rejected"
        );
        tell(tx, &[Event::new(EventKind::Import, self.actor(), sentence)], now).await
    }
}

struct Staged<T> {
    result: T,
    rows: u64,
    refused: u64,
}

async fn prepare(tx: &mut PgConnection) -> Result<(), Error> {
    // Sorts and hashes of a million rows stay in memory; compiling the few statements would cost more than it wins.
    run(tx, "set local work_mem = '128MB'; set local jit = off", "prepare the import").await?;
    Ok(())
}

/// Copies what `read` stages into the staging table.
async fn stage<T, E>(
    tx: &mut PgConnection,
    copy: &'static str,
    as_of: Timestamp,
    read: impl FnOnce(&mut Stage) -> Result<T, E> + Send + 'static,
) -> Result<Result<Staged<T>, E>, Error>
where
    T: Send + 'static,
    E: Send + 'static,
{
    const OPERATION: &str = "copy the rows to the database";
    let (sender, mut receiver) = mpsc::channel(IN_FLIGHT);
    let reading = tokio::task::spawn_blocking(move || {
        let mut stage = Stage::new(as_of, sender);
        // When the database side ended early, its error is the one to tell.
        read(&mut stage).map(|result| (result, stage.refused, stage.end().unwrap_or_default()))
    });
    let mut copying = tx.copy_in_raw(copy).await.map_err(Error::during(OPERATION))?;
    while let Some(buffer) = receiver.recv().await {
        copying.send(buffer).await.map_err(Error::during(OPERATION))?;
    }
    match reading.await {
        Ok(Ok((result, refused, rows))) => {
            copying.finish().await.map_err(Error::during(OPERATION))?;
            Ok(Ok(Staged { result, rows, refused }))
        }
        Ok(Err(refused)) => {
            copying.abort("the file was refused").await.map_err(Error::during(OPERATION))?;
            Ok(Err(refused))
        }
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}
