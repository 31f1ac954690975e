//! One reconcile pass: files → check → freeze → plan → guard → apply. Safe to run at any time, any number of times.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::core::diagnostic::Diagnostic;
use crate::core::domain::{Name, SourceId, Timestamp};
use crate::core::manifest;
use crate::core::manifest::{Checked, Desired, Sources};
use crate::core::plan;
use crate::core::plan::{Action, Freeze, Frozen, Kept, Plan, Refusal};
use crate::source;
use crate::source::{Claim, Tree};
use crate::store;
use crate::store::{Applied, InForce, Origin, Standstill, Store};

/// On whose behalf a pass is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// Nobody looks on: what is broken is frozen, and a plan that looks like an accident waits.
    Daemon,
    /// A person who sees what comes of it: a tree with errors is refused altogether.
    Person {
        /// The guard is not asked, because the person was.
        mass_change: bool,
        /// The plan that the person has seen; no other is carried out.
        digest: Option<&'a str>,
    },
}

/// What a pass came to, and what of the files had no part in it.
#[derive(Debug)]
pub struct Pass {
    pub outcome: Outcome,
    pub frozen: Vec<Frozen>,
    /// The errors in the files.
    pub errors: Vec<Diagnostic>,
    /// Names the plan, which is carried out or is not.
    pub digest: String,
}

impl Pass {
    /// What is wrong with the files, a line each; empty when nothing is.
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
    /// The database has what the files ask for.
    InSync,
    Applied {
        revision: i32,
        plan: Plan,
    },
    /// The database follows another source; what is in force stays.
    Foreign(Foreign),
    /// The plan looks like an accident; what is in force stays.
    Refused(Refusal),
    /// It is not the plan that the person has seen.
    Moved,
    /// The files have errors, and a person asked; what is in force stays.
    Broken(Box<Comparison>),
}

/// That a database follows another source than the one at hand.
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
    /// Asks whether `owner` keeps `ours` out.
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
    /// Somebody else applied a revision meanwhile, perhaps of newer files: nothing was written. Read them again.
    #[error("somebody else applied a revision at the same moment; nothing was written")]
    Outdated,
    #[error("cannot reconcile")]
    Store(#[from] store::Error),
    /// The store is that of a daemon that does not reconcile any more; nothing was written.
    #[error("another daemon reconciles now; nothing was written")]
    Fenced,
    #[error("an import is running, and the plan changes what holds for accounts; nothing was written: try again")]
    Importing,
}

/// What the files ask for, beside what is in force.
#[derive(Debug)]
pub struct Comparison {
    pub sources: Sources,
    pub checked: Checked,
    /// What is planned for: the files, and in place of what is broken in them what is in force.
    pub desired: Desired,
    pub frozen: Vec<Frozen>,
    /// What stays although it is not in the files.
    pub kept: Vec<Kept>,
    /// Campaigns that the files rename have their new names in it.
    pub in_force: InForce,
    pub plan: Plan,
    /// Runs that are not over, by campaign; read only where the plan cancels any.
    pub live_runs: BTreeMap<Name, u64>,
    pub origin: Origin,
    /// The database follows another source; a plan made of these files is for looking at.
    pub foreign: Option<Foreign>,
    /// It is to follow another source from here on, whether or not there is anything else to do.
    pub takes_over: bool,
}

impl Comparison {
    /// Asks whether the plan looks like an accident.
    pub fn guard(&self) -> Result<(), Refusal> {
        let broken = self.checked.broken.iter().filter(|(kind, _)| *kind == manifest::Kind::Campaign).count();
        plan::guard(&self.plan, self.checked.desired.campaigns.len() + broken, &self.live_runs)
    }
}

/// Reads what is in force and plans; writes nothing.
pub async fn compare(tree: Tree, store: &Store) -> Result<Comparison, Error> {
    let Tree { sources, commit, claim } = tree;
    let (commit, author) = commit.map_or((None, None), |commit| (Some(commit.id), commit.author));
    let source = claim.as_ref().map(|claim| claim.source.clone());
    let origin = Origin { digest: source::digest(&sources), commit, author, source };
    let checked = manifest::check(&sources);
    let mut in_force = store.in_force().await?;
    let renames = plan::renames(&checked, &in_force.desired);
    in_force.rename(&renames);
    let foreign = claim.as_ref().and_then(|claim| Foreign::to(in_force.owner.as_ref(), &claim.source));
    // What was applied before databases had a source is claimed by the first who finds it as it should be.
    let is_unclaimed = claim.is_some() && in_force.owner.is_none() && in_force.revision > 0;
    let takes_over = is_unclaimed || foreign.is_some() && claim.is_some_and(|Claim { take_over, .. }| take_over);
    let foreign = foreign.filter(|_| !takes_over);
    let Freeze { desired, frozen, kept } = plan::freeze(&checked, &in_force.desired);
    let plan = plan::plan(&desired.to_objects(), &in_force.objects, &renames);
    let mut live_runs = BTreeMap::new();
    if plan.changes.iter().any(|change| change.action == Action::Cancel) {
        let live = store.live_runs().await?;
        live_runs = in_force.campaigns.iter().filter_map(|(name, id)| Some((name.clone(), *live.get(id)?))).collect();
    }
    Ok(Comparison { sources, checked, desired, frozen, kept, in_force, plan, live_runs, origin, foreign, takes_over })
}

/// Makes one pass.
pub async fn reconcile(tree: Tree, store: &Store, by: By<'_>, now: Timestamp) -> Result<Pass, Error> {
    let comparison = compare(tree, store).await?;
    let (frozen, digest) = (comparison.frozen.clone(), comparison.plan.digest());
    let still = standstills(&comparison);
    let errors = comparison.checked.diagnostics.iter().filter(|found| found.is_error()).cloned().collect();
    let outcome = Box::pin(carry_out(comparison, store, by, now)).await?;
    // A person's tree may not be the one that the daemons watch, and a foreign one says nothing of what is in force.
    if by == By::Daemon && !matches!(outcome, Outcome::Foreign(_)) {
        store.note_frozen(&still, now).await?;
    }
    Ok(Pass { outcome, frozen, errors, digest })
}

/// What does not go by the files.
fn standstills(comparison: &Comparison) -> Vec<Standstill> {
    let because = |sentence: String, why: &str| if why.is_empty() { sentence } else { format!("{sentence}; {why}") };
    let frozen = comparison.frozen.iter().map(|one| Standstill {
        kind: one.kind,
        name: one.name.clone(),
        sentence: because(one.sentence(), &one.why.join("; ")),
    });
    let kept = comparison.kept.iter().map(|one| Standstill {
        kind: one.kind,
        name: one.name.clone(),
        sentence: because(
            format!("the {} `{}` stays in force although its manifest is gone", one.kind, one.name),
            &one.why,
        ),
    });
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

/// Whether a person said that a plan which looks like an accident is not one; `None` when that is no longer ours to ask.
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
