//! The import of one file of facts into the database, with a report about its rows.

use std::collections::BTreeSet;

use serde::Serialize;
use thiserror::Error;

use crate::core::domain::{Country, Heard, Phone, Rejection};
use crate::facts;
use crate::facts::{Interrupted, Row, Source};
use crate::store;
use crate::store::{Age, Merged, Store};

/// The result of each row in a file: every row counts once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// The rejections by line.
    pub rejected: Vec<Rejection>,
    /// The numbers of rejected rows whose opt-out or payment has an effect.
    pub heard: Heard,
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
    let imported = store.import_accounts(age, move |stage| {
        let mut rejected = Vec::new();
        let read =
            facts::accounts(source, age.now, |line, row| sift(row, &mut rejected, |fact| stage.account(line, &fact)))?;
        stage.refused(rejected.len());
        Ok::<_, facts::Error>((read, rejected))
    });
    let ((read, rejected), merged) = imported.await??;
    Ok(report(read, rejected, merged))
}

/// Imports an export of referrals. Their accounts must have been imported before. An opt-out or a payment in a refused
/// row counts, and an unreadable one holds the person.
///
/// # Errors
///
/// Fails if the file as a whole makes no sense or the database fails; then nothing was written.
pub async fn referrals(store: &Store, source: Source, age: Age) -> Result<Report, Error> {
    let imported = store.import_referrals(age, move |accounts, stage| {
        let mut rejected = Vec::new();
        let account = |id: &str| accounts.get(id).copied();
        let read = facts::referrals(source, &account, age.now, |line, row, signal| {
            stage.signals.extend(signal);
            sift(row, &mut rejected, |fact| stage.referral(line, &fact))
        })?;
        stage.refused(rejected.len());
        Ok::<_, facts::Error>((read, rejected))
    });
    let ((read, rejected), merged) = imported.await??;
    Ok(report(read, rejected, merged))
}

/// A list of phones from a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    pub read: u64,
    pub phones: BTreeSet<Phone>,
    /// The rejections by line.
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

/// Stages a good row, and keeps the rejection of a bad one.
fn sift<F>(
    row: Row<F>,
    rejected: &mut Vec<Rejection>,
    stage: impl FnOnce(F) -> Result<(), store::Closed>,
) -> Result<(), Interrupted> {
    match row {
        Ok(fact) => stage(fact).map_err(|store::Closed| Interrupted),
        Err(rejection) => {
            rejected.push(rejection);
            Ok(())
        }
    }
}

fn report(read: u64, mut rejected: Vec<Rejection>, merged: Merged) -> Report {
    rejected.extend(merged.rejected);
    rejected.sort_by_key(|rejection| rejection.line);
    let Merged { inserted, updated, unchanged, heard, .. } = merged;
    Report { read, inserted, updated, unchanged, rejected, heard }
}
