//! The import of one file of facts into the database, with a report about its rows.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use thiserror::Error;

use crate::core::domain::{AccountFact, Country, Heard, KnownAccount, Phone, Rejection};
use crate::core::lifecycle::detail::Facts;
use crate::facts;
use crate::facts::{Interrupted, Row, Source};
use crate::store;
use crate::store::{Age, Ending, Merged, Stage, Store};

/// The result of each row in a file: every row counts once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing was written: the numbers are those of an import of the same file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// The faults of rejected rows, by line.
    pub rejected: Vec<Rejection>,
    /// The numbers of rejected rows whose opt-out or payment has an effect.
    pub heard: Heard,
}

impl Report {
    /// Returns the number of rejected rows.
    pub fn rejected_rows(&self) -> u64 {
        Rejection::rows(&self.rejected)
    }
}

/// The reason why nothing from a file was imported.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Facts(#[from] facts::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Imports an export of accounts.
///
/// # Errors
///
/// Fails if the file as a whole makes no sense or the database fails; then nothing was written.
pub async fn accounts(store: &Store, source: Source, age: Age) -> Result<Report, Error> {
    import(store, Facts::Accounts, source, age, Ending::Commit).await
}

/// Imports an export of referrals. Their accounts must have been imported before. An opt-out or a payment in a refused
/// row counts, and an unreadable one holds the person.
///
/// # Errors
///
/// Fails if the file as a whole makes no sense or the database fails; then nothing was written.
pub async fn referrals(store: &Store, source: Source, age: Age) -> Result<Report, Error> {
    import(store, Facts::Referrals, source, age, Ending::Commit).await
}

/// Imports an export of accounts or of referrals. With [`Ending::Rollback`] nothing is written, and the report tells what
/// the import would change.
///
/// # Errors
///
/// Fails if the file as a whole makes no sense or the database fails; then nothing was written.
pub async fn import(store: &Store, facts: Facts, source: Source, age: Age, ending: Ending) -> Result<Report, Error> {
    let ((read, rejected), merged) = match facts {
        Facts::Accounts => {
            let read = move |stage: &mut Stage| {
                let mut rejected = Vec::new();
                let stored =
                    |line, row: Row<AccountFact<'_>>| sift(row, &mut rejected, |fact| stage.account(line, &fact));
                let read = facts::accounts(source, age.now, stored)?;
                stage.refused(Rejection::rows(&rejected));
                Ok::<_, facts::Error>((read, rejected))
            };
            store.import_accounts(age, ending, read).await??
        }
        Facts::Referrals => {
            let read = move |accounts: &HashMap<String, KnownAccount>, stage: &mut Stage| {
                let mut rejected = Vec::new();
                let read = facts::referrals(source, &|id| accounts.get(id), age.now, |line, row, signal| {
                    stage.signals.extend(signal);
                    sift(row, &mut rejected, |fact| stage.referral(line, &fact))
                })?;
                stage.refused(Rejection::rows(&rejected));
                Ok::<_, facts::Error>((read, rejected))
            };
            store.import_referrals(age, ending, read).await??
        }
    };
    Ok(report(read, rejected, merged, ending))
}

/// A list of phones from a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    pub read: u64,
    pub phones: BTreeSet<Phone>,
    /// The faults of rejected rows, by line.
    pub rejected: Vec<Rejection>,
}

impl Listing {
    /// Reads a list; phones of rows without a country are in `country`.
    ///
    /// # Errors
    ///
    /// Fails if the file as a whole makes no sense.
    pub fn read(source: Source, country: Option<Country>) -> Result<Self, facts::Error> {
        let mut listing = Self::default();
        let (phones, rejected) = (&mut listing.phones, &mut listing.rejected);
        let read = facts::phones(source, country, |_, row| {
            sift(row, rejected, |phone| {
                phones.insert(phone);
                Ok(())
            })
        })?;
        Ok(Self { read, ..listing })
    }
}

/// Stages a good row, and keeps the faults of a bad one.
fn sift<F>(
    row: Row<F>,
    rejected: &mut Vec<Rejection>,
    stage: impl FnOnce(F) -> Result<(), store::Closed>,
) -> Result<(), Interrupted> {
    match row {
        Ok(fact) => stage(fact).map_err(|store::Closed| Interrupted),
        Err(faults) => {
            rejected.extend(faults);
            Ok(())
        }
    }
}

fn report(read: u64, mut rejected: Vec<Rejection>, merged: Merged, ending: Ending) -> Report {
    rejected.extend(merged.rejected);
    rejected.sort_by_key(|rejection| rejection.line);
    let Merged { inserted, updated, unchanged, heard, .. } = merged;
    Report { dry_run: ending == Ending::Rollback, read, inserted, updated, unchanged, rejected, heard }
}
