//! The result of a check: the desired state, the findings, and the manifests that they freeze.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::Blame;
use crate::core::diagnostic::Diagnostic;
use crate::core::domain::Name;
use crate::core::manifest::desired::Desired;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::lint::findings::Findings;
use crate::core::manifest::testcase::CampaignTest;

/// What [`check`](crate::core::manifest::check()) made of a tree.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// The sound manifests, resolved. What is in `broken` is not in it.
    pub desired: Desired,
    /// The sound tests, in the order of the files.
    pub tests: Vec<CampaignTest>,
    /// In the order of the files, from top to bottom.
    pub diagnostics: Vec<Diagnostic>,
    pub files: usize,
    /// Documents that are not empty, sound or not.
    pub manifests: usize,
    /// Manifests that exist but must not be used, because of errors in them or in what they refer to. They are
    /// frozen at their last good version, never taken for removed.
    pub broken: BTreeSet<(Kind, Name)>,
    /// There are also manifests whose kind and name cannot be made out: whatever is missing from `desired` may
    /// be one of them, so nothing may be taken for removed.
    pub unnamed: bool,
    /// The `Defaults`, which are missing, may be one of those: then no campaign is certain.
    pub hides_defaults: bool,
    /// Campaigns that say under which name they were before, by the name they have; broken ones too.
    pub renames: BTreeMap<Name, Name>,
    /// Campaigns that cannot be read, so that nobody knows which name they had before.
    pub unread: BTreeSet<Name>,
    /// Why each of `broken` is, in sentences that name their place.
    pub why: BTreeMap<(Kind, Name), Vec<String>>,
    pub(in crate::core::manifest) blame: Blame,
}

impl Checked {
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
    /// Takes a campaign out, with the sequence that its own days made.
    pub(in crate::core::manifest) fn freeze_campaign(&mut self, name: &Name) {
        self.desired.campaigns.remove(name);
        self.desired.sequences.remove(name);
        self.broken.insert((Kind::Campaign, name.clone()));
    }

    /// Reports the findings of a lint, and takes out the campaigns that it refuses.
    pub(in crate::core::manifest) fn refuse(&mut self, findings: Findings) {
        self.diagnostics.extend(findings.diagnostics);
        for name in &findings.broken {
            self.freeze_campaign(name);
        }
    }
}
