//! Imports of facts: one transaction each.
//!
//! Rows stream through `COPY` into a temporary table and are merged set by set. Neither the number of statements nor
//! the memory depends on the number of rows.
//!
//! - The age of a row is its `updated_at`, or else that of the import. A row older than the stored one changes nothing. A
//!   row with equal content writes nothing, not even its age.
//! - The youngest of several rows with one id counts, and the last of equally old ones; an opt-out in any of them stays.
//! - A column that is missing from the export, and not set by a row, keeps its value.
//! - A stored opt-out is never revived, and an empty `paid_at` does not erase a stored one, unless the row has its own,
//!   newer `updated_at`.
//! - An opt-out or a payment in a refused row still counts: see `signal`.
//! - A fact recorded by a later event (`store::fact`) stays, even if the row is newer than all other stored facts.

mod account;
mod copy;
pub(in crate::store) mod mapping;
pub(in crate::store) mod merge;
mod person;
mod referral;
mod signal;

use std::collections::{BTreeSet, HashMap};

use sqlx::{PgConnection, Postgres, Transaction};
use tokio::sync::mpsc;

use self::copy::Rows;
use self::merge::{Merged, run};
use crate::core::domain::{AccountFact, KnownAccount, ReferralFact, Rejection, Signal, Timestamp};
use crate::core::lifecycle::detail::{Detail, Facts};
use crate::core::lifecycle::event::EventKind;
use crate::store::event::{Event, tell};
use crate::store::lock::lock_imports;
use crate::store::{Error, Store};

/// The maximum number of buffers between the reading thread and Postgres.
const IN_FLIGHT: usize = 4;

/// The limit of remembered extra columns of one import. A file with other columns on every line must not fill the memory.
const MAX_ATTRIBUTES: usize = 1000;

/// The age of rows without one of their own, and the time of the import.
#[derive(Debug, Clone, Copy)]
pub struct Age {
    pub as_of: Timestamp,
    pub now: Timestamp,
}

/// The end of an import's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Commit,
    /// Writes nothing: the numbers are those that the import would have.
    Rollback,
}

impl Ending {
    async fn of(self, tx: Transaction<'_, Postgres>) -> Result<(), Error> {
        match self {
            Self::Commit => tx.commit().await.map_err(Error::during("commit the import")),
            Self::Rollback => tx.rollback().await.map_err(Error::during("roll back the import")),
        }
    }
}

/// A stage for rows, from a reading thread to the database.
#[derive(Debug)]
pub struct Stage {
    rows: Rows,
    as_of: Timestamp,
    staged: u64,
    refused: u64,
    /// The opt-outs and payments in refused rows.
    pub signals: Vec<Signal>,
    /// The names of extra columns.
    attributes: BTreeSet<String>,
    sender: mpsc::Sender<Vec<u8>>,
}

/// The database side ended before the last row.
#[derive(Debug, Clone, Copy)]
pub struct Closed;

impl Stage {
    fn new(as_of: Timestamp, sender: mpsc::Sender<Vec<u8>>) -> Self {
        Self {
            rows: Rows::new(),
            as_of,
            staged: 0,
            refused: 0,
            signals: Vec::new(),
            attributes: BTreeSet::new(),
            sender,
        }
    }

    pub fn account(&mut self, line: u64, fact: &AccountFact<'_>) -> Result<(), Closed> {
        account::encode(&mut self.rows, line, fact, self.as_of);
        self.note(&fact.attributes);
        self.sent()
    }

    pub fn referral(&mut self, line: u64, fact: &ReferralFact<'_>) -> Result<(), Closed> {
        referral::encode(&mut self.rows, line, fact, self.as_of);
        self.note(&fact.attributes);
        self.sent()
    }

    fn note(&mut self, attributes: &[(&str, Option<&str>)]) {
        for (name, _) in attributes {
            if self.attributes.len() < MAX_ATTRIBUTES && !self.attributes.contains(*name) {
                self.attributes.insert((*name).to_owned());
            }
        }
    }

    /// Records, for the log, the number of rows of the file that were not staged.
    pub fn refused(&mut self, rows: u64) {
        self.refused = rows;
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
    /// An error of `read` is returned as the inner error, and nothing is written.
    pub async fn import_accounts<T, E>(
        &self,
        age: Age,
        ending: Ending,
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
        mapping::remember_attributes(&mut tx, Facts::Accounts, &staged.attributes).await?;
        self.tell_import(&mut tx, Facts::Accounts, staged.refused, &merged, age.now).await?;
        ending.of(tx).await?;
        Ok(Ok((staged.result, merged)))
    }

    /// Imports referrals. `read` runs on a thread of its own, is given the accounts by external id, and stages
    /// the referrals.
    ///
    /// An error of `read` is returned as the inner error, and nothing is written.
    pub async fn import_referrals<T, E>(
        &self,
        age: Age,
        ending: Ending,
        read: impl FnOnce(&HashMap<String, KnownAccount>, &mut Stage) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<(T, Merged), E>, Error>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin the import"))?;
        prepare(&mut tx).await?;
        run(&mut tx, referral::CREATE, "create the staging table").await?;
        let accounts = account::known(&mut tx).await?;
        let read = move |stage: &mut Stage| read(&accounts, stage);
        let staged = match stage(&mut tx, referral::COPY, age.as_of, read).await? {
            Ok(staged) => staged,
            Err(refused) => return Ok(Err(refused)),
        };
        lock_imports(&mut tx).await?;
        let merged = referral::merge(&mut tx, age, staged.rows, staged.signals).await?;
        mapping::remember_attributes(&mut tx, Facts::Referrals, &staged.attributes).await?;
        self.tell_import(&mut tx, Facts::Referrals, staged.refused, &merged, age.now).await?;
        ending.of(tx).await?;
        Ok(Ok((staged.result, merged)))
    }

    /// Logs an import of `facts`; `refused` of its rows were not staged.
    async fn tell_import(
        &self,
        tx: &mut PgConnection,
        facts: Facts,
        refused: u64,
        merged: &Merged,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Merged { inserted, updated, unchanged, ref rejected, heard } = *merged;
        let rejected = refused + Rejection::rows(rejected);
        let (opted_out, paid, held) = (heard.opted_out, heard.paid, heard.held);
        let detail = Detail::Imported { facts, inserted, updated, unchanged, rejected, opted_out, paid, held };
        tell(tx, &[Event::new(EventKind::Import, self.actor(), detail)], now).await
    }
}

struct Staged<T> {
    result: T,
    rows: u64,
    refused: u64,
    signals: Vec<Signal>,
    attributes: Vec<String>,
}

async fn prepare(tx: &mut PgConnection) -> Result<(), Error> {
    // Sorts and hashes of a million rows stay in memory. Compiling these few statements would cost more than it saves.
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
        // When the database side ended early, its error is the one to report.
        read(&mut stage).map(|result| {
            let signals = std::mem::take(&mut stage.signals);
            let attributes = std::mem::take(&mut stage.attributes).into_iter().collect();
            (result, stage.refused, signals, attributes, stage.end().unwrap_or_default())
        })
    });
    let mut copying = tx.copy_in_raw(copy).await.map_err(Error::during(OPERATION))?;
    while let Some(buffer) = receiver.recv().await {
        copying.send(buffer).await.map_err(Error::during(OPERATION))?;
    }
    match reading.await {
        Ok(Ok((result, refused, signals, attributes, rows))) => {
            copying.finish().await.map_err(Error::during(OPERATION))?;
            Ok(Ok(Staged { result, rows, refused, signals, attributes }))
        }
        Ok(Err(refused)) => {
            copying.abort("the file was refused").await.map_err(Error::during(OPERATION))?;
            Ok(Err(refused))
        }
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}
