//! One reconcile pass: files → check → plan → guard → apply. Safe to run at any time, any number of times.

use std::path::PathBuf;

use thiserror::Error;

use crate::domain::Timestamp;
use crate::manifest::{self, Checked, Sources};
use crate::plan::{self, Plan, Refusal};
use crate::source;
use crate::store::{self, Applied, InForce, Origin, Store};

/// What a pass came to.
#[derive(Debug)]
pub enum Outcome {
    /// The database has what the files ask for.
    InSync,
    Applied {
        revision: i32,
        plan: Plan,
    },
    /// The plan looks like an accident; what is in force stays.
    Refused(Refusal),
    /// The files have errors; what is in force stays.
    Broken(Box<Comparison>),
}

#[derive(Debug, Error)]
pub enum Error {
    /// The files cannot be read; what is in force stays.
    #[error(transparent)]
    Source(#[from] source::Error),
    #[error("cannot reconcile")]
    Store(#[from] store::Error),
    /// The store is that of a daemon that does not reconcile any more; nothing was written.
    #[error("another daemon reconciles now; nothing was written")]
    Fenced,
}

/// What the files ask for, beside what is in force.
#[derive(Debug)]
pub struct Comparison {
    pub sources: Sources,
    pub checked: Checked,
    pub in_force: InForce,
    pub plan: Plan,
    pub origin: Origin,
}

/// Reads both sides and plans; writes nothing.
pub async fn compare(directories: &[PathBuf], store: &Store) -> Result<Comparison, Error> {
    compare_sources(source::load(directories)?, store).await
}

/// As [`compare`], for files that were read already.
pub async fn compare_sources(sources: Sources, store: &Store) -> Result<Comparison, Error> {
    let origin = Origin { digest: source::digest(&sources), commit: None, author: None };
    let checked = manifest::check(&sources);
    let in_force = store.in_force().await?;
    let plan = plan::plan(&checked.desired.to_objects(), &in_force.objects);
    Ok(Comparison { sources, checked, in_force, plan, origin })
}

/// Makes one pass; with `mass_change` the guard is not asked, because a person was.
pub async fn reconcile(
    directories: &[PathBuf],
    store: &Store,
    mass_change: bool,
    now: Timestamp,
) -> Result<Outcome, Error> {
    reconcile_sources(|| source::load(directories), store, mass_change, now).await
}

/// As [`reconcile`]; `load` reads the files anew whenever they have to be compared.
pub async fn reconcile_sources(
    load: impl Fn() -> Result<Sources, source::Error>,
    store: &Store,
    mass_change: bool,
    now: Timestamp,
) -> Result<Outcome, Error> {
    loop {
        let comparison = compare_sources(load()?, store).await?;
        if comparison.checked.has_errors() {
            return Ok(Outcome::Broken(Box::new(comparison)));
        }
        let Comparison { checked, in_force, plan, origin, .. } = comparison;
        if plan.is_empty() {
            return Ok(Outcome::InSync);
        }
        if !mass_change && let Err(refusal) = plan::guard(&plan, checked.desired.campaigns.len(), &in_force.live_runs) {
            return Ok(Outcome::Refused(refusal));
        }
        match store.apply(&plan, &checked.desired, in_force.generation, &origin, now).await? {
            Applied::Revision(revision) => return Ok(Outcome::Applied { revision, plan }),
            // Somebody else applied a revision meanwhile: look again.
            Applied::Outdated => {}
            Applied::Fenced => return Err(Error::Fenced),
        }
    }
}
