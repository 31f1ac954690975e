//! Queues and the order of campaigns: resolves queues, and refuses orders that cannot be kept.

use std::collections::BTreeMap;

use super::checked::Checked;
use super::references::{Found, Tree};
use crate::core::diagnostic::{Code, Diagnostic, Place};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::lint::campaign_order as order;
use crate::core::manifest::parsed::Spec;

/// Adds sound queues to the desired state, and freezes campaigns in a circle or behind an endless one.
pub(in crate::core::manifest) fn check(tree: &Tree<'_, '_>, checked: &mut Checked) {
    take_queues(tree, checked);
    let waits = order::waits(&tree.manifests);
    for circle in order::circles(&waits) {
        checked.diagnostics.push(circle.diagnostic);
        for name in circle.members {
            if name != circle.closed_by {
                checked.blame.add((Kind::Campaign, name), (Kind::Campaign, circle.closed_by));
            }
            checked.freeze_campaign(name);
        }
    }
    checked.refuse(order::waits_for_ever(&waits, &checked.desired));
}

fn take_queues(tree: &Tree<'_, '_>, checked: &mut Checked) {
    let mut places: BTreeMap<&Name, Place> = BTreeMap::new();
    for manifest in tree.manifests.of_kind(Kind::Queue) {
        let Some(Spec::Queue(spec)) = &manifest.spec else { continue };
        let mut sound = !checked.broken.contains(&(Kind::Queue, manifest.name.clone()));
        for (index, name) in spec.campaigns.iter().enumerate() {
            let at = format!("/spec/campaigns/{index}");
            sound &= matches!(tree.find(manifest, Kind::Campaign, &at, name, checked), Found::Sound(_));
            let place = manifest.document.place(&at);
            if let Some(first) = places.get(name) {
                let message = format!("the campaign `{name}` has a place in a queue already");
                checked.diagnostics.push(
                    Diagnostic::new(Code::QueuedTwice, place, message)
                        .related(first.clone(), "its other place")
                        .help("a campaign runs once for each account: keep one of the two"),
                );
                sound = false;
            } else {
                places.insert(name, place);
            }
        }
        if sound {
            checked.desired.queues.insert(manifest.name.clone(), spec.resolve());
        } else {
            checked.broken.insert((Kind::Queue, manifest.name.clone()));
        }
    }
}
