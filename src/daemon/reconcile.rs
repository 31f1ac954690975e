//! One reconcile pass: files → check → freeze → plan → guard → apply. A pass is safe to run at any time, any number of
//! times.

use std::collections::BTreeMap;

use thiserror::Error;

use super::blocking::blocking;
use crate::core::diagnostic::Diagnostic;
use crate::core::dispatch::program;
use crate::core::domain::{Name, SourceId, Timestamp};
use crate::core::manifest;
use crate::core::manifest::desired::Unusable;
use crate::core::manifest::{Checked, Desired, Sources};
use crate::core::plan;
use crate::core::plan::{Action, Freeze, Frozen, Kept, Plan, Refusal};
use crate::source;
use crate::source::{Claim, Tree};
use crate::store;
use crate::store::{Applied, InForce, Origin, Standstill, Store};

/// The party on whose behalf a pass is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// An unattended pass: broken manifests are frozen, and a plan that looks like an accident waits for approval.
    Daemon,
    /// A person who sees the result: a tree with errors is refused as a whole.
    Person {
        /// The person confirmed a mass change, which overrides the guard.
        mass_change: bool,
        /// The digest of the plan that the person has seen; no other plan is applied.
        digest: Option<&'a str>,
    },
}

/// The result of a pass, and the manifests that were excluded from it.
#[derive(Debug)]
pub struct Pass {
    pub outcome: Outcome,
    pub frozen: Vec<Frozen>,
    /// The error diagnostics of the files.
    pub errors: Vec<Diagnostic>,
    /// The digest of the plan, applied or not.
    pub digest: String,
}

impl Pass {
    /// Returns the problems with the files, one per line; empty when there are none.
    pub fn complaint(&self) -> String {
        if let Outcome::Foreign(foreign) = &self.outcome {
            return foreign.to_string();
        }
        let mut lines: Vec<String> = self.errors.iter().map(ToString::to_string).collect();
        lines.extend(self.frozen.iter().map(Frozen::sentence));
        if let Outcome::Refused(refusal) = &self.outcome {
            let digest = &self.digest;
            lines.push(format!("this revision is not accepted, and what is in force stays: {refusal}"));
            lines.push(format!("`relancectl approve {digest} --reason …` has plan {digest} carried out"));
        }
        lines.join("\n")
    }
}

#[derive(Debug)]
pub enum Outcome {
    /// The desired state in force already matches the files.
    InSync,
    Applied {
        revision: i32,
        plan: Plan,
    },
    /// The database follows another source; what is in force stays.
    Foreign(Foreign),
    /// The plan looks like an accident; what is in force stays.
    Refused(Refusal),
    /// The plan differs from the one that the person has seen; nothing was written.
    Moved,
    /// The files have errors and a person made the pass; what is in force stays.
    Broken(Box<Comparison>),
}

/// The conflict between the source that the database follows (`owner`) and the source at hand (`ours`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the database follows the source {owner}, and these files are the source {ours}: nothing of them takes effect. If \
     they are that source, read another way, `--source {}` says so; if they are to take its place, `relancectl apply \
     --take-over`; else they need a database of their own",
    owner.name
)]
pub struct Foreign {
    pub owner: SourceId,
    pub ours: SourceId,
}

impl Foreign {
    /// Returns the conflict if `owner` differs from `ours`.
    pub fn to(owner: Option<&SourceId>, ours: &SourceId) -> Option<Self> {
        let owner = owner.filter(|owner| ours.differs(owner))?;
        Some(Self { owner: owner.clone(), ours: ours.clone() })
    }
}

#[derive(Debug, Error)]
pub enum Error {
    /// The files cannot be read; what is in force stays.
    #[error(transparent)]
    Source(#[from] source::ReadError),
    /// Another process applied a revision meanwhile, perhaps of newer files. Nothing was written; the caller reads the
    /// files again.
    #[error("somebody else applied a revision at the same moment; nothing was written")]
    Outdated,
    #[error("cannot reconcile")]
    Store(#[from] store::Error),
    /// The store belongs to a daemon that no longer holds the lease; nothing was written.
    #[error("another daemon reconciles now; nothing was written")]
    Fenced,
    #[error("an import is running, and the plan changes what holds for accounts; nothing was written: try again")]
    Importing,
}

/// The desired state of the files compared with the state in force.
#[derive(Debug)]
pub struct Comparison {
    pub sources: Sources,
    pub checked: Checked,
    /// The desired state that the plan reaches: the files, with the state in force in place of broken manifests.
    pub desired: Desired,
    pub frozen: Vec<Frozen>,
    /// Objects that stay in force although their manifests are gone.
    pub kept: Vec<Kept>,
    /// The state in force, in which renamed campaigns already have their new names.
    pub in_force: InForce,
    pub plan: Plan,
    /// The number of live runs by campaign; read only where the plan cancels any.
    pub live_runs: BTreeMap<Name, u64>,
    pub origin: Origin,
    /// The conflict of sources, if the database follows another one; the plan is then only for display.
    pub foreign: Option<Foreign>,
    /// The database changes to another source with this pass, even if the plan is empty.
    pub takes_over: bool,
}

impl Comparison {
    /// Refuses a plan that looks like an accident.
    pub fn guard(&self) -> Result<(), Refusal> {
        let broken = self.checked.broken.iter().filter(|(kind, _)| *kind == manifest::Kind::Campaign).count();
        plan::guard(&self.plan, self.checked.desired.campaigns.len() + broken, &self.live_runs)
    }
}

/// Reads the state in force and plans; writes nothing.
pub async fn compare(tree: Tree, store: &Store) -> Result<Comparison, Error> {
    let Tree { sources, commit, claim } = tree;
    let (commit, author) = commit.map_or((None, None), |commit| (Some(commit.id), commit.author));
    let source = claim.as_ref().map(|claim| claim.source.clone());
    let check = move || (manifest::check(&sources), source::digest(&sources), sources);
    let (checked, digest, sources) = blocking(check).await;
    let origin = Origin { digest, commit, author, source, versions: checked.versions.clone() };
    let mut in_force = store.in_force().await?;
    let prepare = move || {
        retire_uncompilable(&mut in_force, &checked.desired);
        let renames = plan::renames(&checked, &in_force.desired);
        in_force.rename(&renames);
        let freeze = plan::freeze(&checked, &in_force.desired);
        let plan = plan::plan(&freeze.desired.to_objects(), &in_force.objects, &renames);
        (checked, in_force, freeze, plan)
    };
    let (checked, in_force, Freeze { desired, frozen, kept }, plan) = blocking(prepare).await;
    let foreign = claim.as_ref().and_then(|claim| Foreign::to(in_force.owner.as_ref(), &claim.source));
    // A state that was applied before databases recorded a source is claimed by the first source whose pass finds it in
    // order.
    let is_unclaimed = claim.is_some() && in_force.owner.is_none() && in_force.revision > 0;
    let takes_over = is_unclaimed || foreign.is_some() && claim.is_some_and(|Claim { take_over, .. }| take_over);
    let foreign = foreign.filter(|_| !takes_over);
    let mut live_runs = BTreeMap::new();
    if plan.changes.iter().any(|change| change.action == Action::Cancel) {
        let live = store.live_runs().await?;
        live_runs = in_force.campaigns.iter().filter_map(|(name, id)| Some((name.clone(), *live.get(id)?))).collect();
    }
    Ok(Comparison { sources, checked, desired, frozen, kept, in_force, plan, live_runs, origin, foreign, takes_over })
}

/// Takes stored objects out of use whose templates do not compile.
fn retire_uncompilable(in_force: &mut InForce, files: &Desired) {
    for ((kind, name), defect) in program::uncompilable(&in_force.desired, files) {
        let Some(key) = plan::Kind::of(kind).map(|kind| (kind, name.clone())) else { continue };
        let stored = in_force.objects.get(&key).cloned().unwrap_or_default();
        let source = in_force.sources.get(&key).cloned().unwrap_or_default();
        in_force.desired.retire((kind, name), Unusable { defect, stored, source });
    }
}

/// Makes one pass on behalf of `by`.
pub async fn reconcile(tree: Tree, store: &Store, by: By<'_>, now: Timestamp) -> Result<Pass, Error> {
    let comparison = compare(tree, store).await?;
    let (frozen, digest) = (comparison.frozen.clone(), comparison.plan.digest());
    let still = standstills(&comparison);
    let errors = comparison.checked.diagnostics.iter().filter(|found| found.is_error()).cloned().collect();
    let outcome = Box::pin(carry_out(comparison, store, by, now)).await?;
    // A person's tree may differ from the one that the daemons watch. A foreign tree describes nothing that is in
    // force.
    if by == By::Daemon && !matches!(outcome, Outcome::Foreign(_)) {
        store.note_frozen(&still, now).await?;
    }
    Ok(Pass { outcome, frozen, errors, digest })
}

/// Returns the objects whose state in force differs from the files: frozen and kept ones.
fn standstills(comparison: &Comparison) -> Vec<Standstill> {
    let frozen =
        comparison.frozen.iter().map(|one| Standstill { kind: one.kind, name: one.name.clone(), detail: one.detail() });
    let kept =
        comparison.kept.iter().map(|one| Standstill { kind: one.kind, name: one.name.clone(), detail: one.detail() });
    frozen.chain(kept).collect()
}

async fn carry_out(comparison: Comparison, store: &Store, by: By<'_>, now: Timestamp) -> Result<Outcome, Error> {
    if let Some(foreign) = comparison.foreign {
        return Ok(Outcome::Foreign(foreign));
    }
    if by != By::Daemon && comparison.checked.has_errors() {
        return Ok(Outcome::Broken(Box::new(comparison)));
    }
    let guarded = comparison.guard();
    let Comparison { desired, in_force, plan, origin, takes_over, .. } = comparison;
    if plan.is_empty() && !takes_over {
        if by == By::Daemon && !store.drop_waiting_plan().await? {
            return Err(Error::Fenced);
        }
        return Ok(Outcome::InSync);
    }
    if let By::Person { digest: Some(seen), .. } = by
        && seen != plan.digest()
    {
        return Ok(Outcome::Moved);
    }
    if let Err(refusal) = guarded {
        match is_meant(&plan, &refusal, store, by, now).await? {
            Some(true) => {}
            Some(false) => return Ok(Outcome::Refused(refusal)),
            None => return Err(Error::Fenced),
        }
    }
    match store.apply(&plan, &desired, in_force.generation, &origin, now).await? {
        Applied::Revision(revision) => Ok(Outcome::Applied { revision, plan }),
        Applied::Outdated => Err(Error::Outdated),
        Applied::Fenced => Err(Error::Fenced),
        Applied::Importing => Err(Error::Importing),
    }
}

/// Returns whether a person confirmed a plan that looks like an accident. Returns `None` when another daemon has taken
/// over.
async fn is_meant(
    plan: &Plan,
    refusal: &Refusal,
    store: &Store,
    by: By<'_>,
    now: Timestamp,
) -> Result<Option<bool>, store::Error> {
    match by {
        By::Daemon => store.hold_plan(plan, refusal, now).await,
        By::Person { mass_change, .. } => Ok(Some(mass_change)),
    }
}
