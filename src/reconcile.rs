//! One reconcile pass: files → check → plan → guard → apply. Safe to run at any time, any number of times.

use thiserror::Error;

use crate::domain::Timestamp;
use crate::manifest::{self, Checked, Sources};
use crate::plan::{self, Plan, Refusal};
use crate::source::{self, Tree};
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
    Source(#[from] source::ReadError),
    /// Somebody else applied a revision meanwhile, perhaps of newer files: nothing was written. Read them again.
    #[error("somebody else applied a revision at the same moment; nothing was written")]
    Outdated,
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

/// Reads what is in force and plans; writes nothing.
pub async fn compare(tree: Tree, store: &Store) -> Result<Comparison, Error> {
    let Tree { sources, commit } = tree;
    let (commit, author) = commit.map_or((None, None), |commit| (Some(commit.id), commit.author));
    let origin = Origin { digest: source::digest(&sources), commit, author };
    let checked = manifest::check(&sources);
    let in_force = store.in_force().await?;
    let plan = plan::plan(&checked.desired.to_objects(), &in_force.objects);
    Ok(Comparison { sources, checked, in_force, plan, origin })
}

/// Makes one pass; with `mass_change` the guard is not asked, because a person was.
pub async fn reconcile(tree: Tree, store: &Store, mass_change: bool, now: Timestamp) -> Result<Outcome, Error> {
    let comparison = compare(tree, store).await?;
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
        Applied::Revision(revision) => Ok(Outcome::Applied { revision, plan }),
        Applied::Outdated => Err(Error::Outdated),
        Applied::Fenced => Err(Error::Fenced),
    }
}
