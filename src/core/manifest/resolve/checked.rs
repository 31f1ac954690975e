//! The result of a check: the desired state, the findings, and the manifests that they freeze.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::Blame;
use crate::core::diagnostic::Diagnostic;
use crate::core::domain::Name;
use crate::core::manifest::desired::Desired;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::lint::findings::Findings;
use crate::core::manifest::testcase::CampaignTest;

/// The result of [`check`](crate::core::manifest::check()) for one tree.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// The sound manifests, resolved, without those in `broken`.
    pub desired: Desired,
    /// The sound tests, in file order.
    pub tests: Vec<CampaignTest>,
    /// The findings in file order, from top to bottom.
    pub diagnostics: Vec<Diagnostic>,
    pub files: usize,
    /// The number of documents that are not empty, sound or not.
    pub manifests: usize,
    /// Manifests that exist but must not be used, because of errors in them or in manifests they refer to. They are
    /// frozen at their last good version and never count as removed.
    pub broken: BTreeSet<(Kind, Name)>,
    /// Some manifests have an unreadable kind or name. Anything missing from `desired` may be one of them, so nothing
    /// counts as removed.
    pub unnamed: bool,
    /// `Defaults` is missing and may be one of the unreadable manifests, so no campaign can be trusted.
    pub hides_defaults: bool,
    /// The previous names of renamed campaigns, by new name, including broken ones.
    pub renames: BTreeMap<Name, Name>,
    /// Campaigns that cannot be read, so that their previous names are unknown.
    pub unread: BTreeSet<Name>,
    /// The reasons for each entry of `broken`, as sentences with places.
    pub why: BTreeMap<(Kind, Name), Vec<String>>,
    /// The digest of each resource as written. The database keeps it beside the object that was made from it.
    pub versions: BTreeMap<(Kind, Name), String>,
    pub(in crate::core::manifest) blame: Blame,
}

impl Checked {
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
    /// Freezes a campaign, with the sequence made from its own days.
    pub(in crate::core::manifest) fn freeze_campaign(&mut self, name: &Name) {
        self.desired.campaigns.remove(name);
        self.desired.sequences.remove(name);
        self.broken.insert((Kind::Campaign, name.clone()));
    }

    /// Adds the findings of a lint, and freezes the campaigns that it refuses.
    pub(in crate::core::manifest) fn refuse(&mut self, findings: Findings) {
        self.diagnostics.extend(findings.diagnostics);
        for name in &findings.broken {
            self.freeze_campaign(name);
        }
    }
}
