//! The resolution of the annotations of all manifests.

use std::collections::{BTreeMap, BTreeSet};

use super::checked::Checked;
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::annotations::{AT, RENAMED_FROM};
use crate::core::manifest::parsed::Manifest;
use crate::core::manifest::syntax::document::join;

/// Collects the annotations of all manifests. When several campaigns claim one old name, none of them is used, and the
/// campaign in force with that name stays.
pub(in crate::core::manifest) fn collect(manifests: &[Manifest<'_>], checked: &mut Checked) {
    let mut claims: BTreeMap<&Name, Vec<&Manifest<'_>>> = BTreeMap::new();
    for manifest in manifests {
        if manifest.annotations.is_protected {
            checked.desired.protected.insert((manifest.kind, manifest.name.clone()));
        }
        if let Some(old) = &manifest.annotations.renamed_from {
            claims.entry(old).or_default().push(manifest);
        }
    }
    for (old, claimants) in claims {
        if let [only] = claimants[..] {
            checked.renames.insert(only.name.clone(), old.clone());
            continue;
        }
        let is_there = manifests.iter().any(|manifest| manifest.kind == Kind::Campaign && manifest.name == *old);
        if !is_there {
            checked.broken.insert((Kind::Campaign, old.clone()));
        }
        let pointer = join(AT, RENAMED_FROM);
        for second in &claimants[1..] {
            let message =
                format!("both `{}` and `{}` claim to be renamed from `{old}`", claimants[0].name, second.name);
            checked.diagnostics.push(
                Diagnostic::new(Code::RenamedTwice, second.document.place(&pointer), message)
                    .related(claimants[0].document.place(&pointer), "the other one")
                    .help("people are in one campaign: take one of the two out"),
            );
        }
        for manifest in claimants {
            checked.broken.insert((Kind::Campaign, manifest.name.clone()));
            checked.blame.add((Kind::Campaign, old), (Kind::Campaign, &manifest.name));
        }
    }
}

/// Drops the protection of resources that are not in the desired state.
pub(in crate::core::manifest) fn settle(checked: &mut Checked) {
    let protected: BTreeSet<(Kind, Name)> = std::mem::take(&mut checked.desired.protected);
    let kept = protected.into_iter().filter(|(kind, name)| checked.desired.has(*kind, name));
    checked.desired.protected = kept.collect();
}
