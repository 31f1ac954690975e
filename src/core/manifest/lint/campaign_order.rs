//! The order of campaigns: `runAfter` and queues, without circles and without waiting for ever.

use std::collections::BTreeMap;

use super::cycles as circle;
use crate::core::diagnostic::{Code, Diagnostic, Place};
use crate::core::domain::Name;
use crate::core::manifest::desired::{Campaign, Enrollment};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::queue::QueueSpec;
use crate::core::manifest::resolve::check::Checked;
use crate::core::manifest::resolve::read::{Manifest, Spec};
use crate::core::manifest::resolve::references::{Found, Tree, freeze_campaign};

/// Somebody waits for somebody, and where that is written.
struct Wait<'a> {
    child: &'a Name,
    parent: &'a Name,
    place: Place,
    /// How many of those it waits for may be unfinished when it begins.
    spare: usize,
}

/// Takes sound queues into the desired state, and refuses orders that nobody could keep.
pub(in crate::core::manifest) fn check(tree: &Tree<'_, '_>, checked: &mut Checked) {
    let mut waits = Vec::new();
    for manifest in tree.of_kind(Kind::Campaign) {
        if let Some(Spec::Campaign(spec)) = &manifest.spec
            && let Some(parent) = &spec.run_after
        {
            let place = manifest.document.place("/spec/runAfter");
            waits.push(Wait { child: &manifest.name, parent, place, spare: 0 });
        }
    }
    let mut places: BTreeMap<&Name, Place> = BTreeMap::new();
    for manifest in tree.of_kind(Kind::Queue) {
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
        waits.extend(queue_waits(manifest, spec));
        if sound {
            checked.desired.queues.insert(manifest.name.clone(), spec.resolve());
        } else {
            checked.broken.insert((Kind::Queue, manifest.name.clone()));
        }
    }
    refuse_circles(&waits, checked);
    refuse_waiting_for_ever(&waits, checked);
}

fn queue_waits<'a>(manifest: &Manifest<'_>, spec: &'a QueueSpec) -> Vec<Wait<'a>> {
    let parallelism = spec.parallelism.unwrap_or(1);
    let spare = usize::try_from(parallelism).unwrap_or(usize::MAX) - 1;
    let place = |index: usize| manifest.document.place(&format!("/spec/campaigns/{index}"));
    let wait = |(index, parent)| Wait { child: &spec.campaigns[index], parent, place: place(index), spare };
    circle::waits(&spec.campaigns, parallelism).into_iter().map(wait).collect()
}

fn refuse_circles(waits: &[Wait<'_>], checked: &mut Checked) {
    let pairs: Vec<(&Name, &Name)> = waits.iter().map(|wait| (wait.child, wait.parent)).collect();
    for circle in circle::find(&pairs) {
        refuse_circle(&circle.members, &waits[circle.closed_by], checked);
    }
}

fn refuse_circle(circle: &[&Name], wait: &Wait<'_>, checked: &mut Checked) {
    let names: Vec<String> = circle.iter().chain(circle.first()).map(|name| format!("`{name}`")).collect();
    let message = format!("campaigns wait for each other in a circle: {}", names.join(" after "));
    checked.diagnostics.push(
        Diagnostic::new(Code::CampaignCycle, wait.place.clone(), message)
            .help(format!("here `{}` waits for `{}`; take one step of the circle out", wait.child, wait.parent)),
    );
    for name in circle {
        if *name != wait.child {
            checked.blame.add((Kind::Campaign, name), (Kind::Campaign, wait.child));
        }
        freeze_campaign(name, checked);
    }
}

fn refuse_waiting_for_ever(waits: &[Wait<'_>], checked: &mut Checked) {
    let endless =
        |campaign: &Campaign| campaign.enrollment == Enrollment::Continuous && campaign.schedule.end_at.is_none();
    let mut endless_ahead: BTreeMap<(&Name, &str), Vec<&Wait<'_>>> = BTreeMap::new();
    for wait in waits.iter().filter(|wait| checked.desired.campaigns.get(wait.parent).is_some_and(endless)) {
        endless_ahead.entry((wait.child, &wait.place.pointer)).or_default().push(wait);
    }
    let mut stuck: Vec<Name> = Vec::new();
    for ahead in endless_ahead.values() {
        let Some(Wait { child, parent, place, .. }) = ahead.get(ahead[0].spare).copied() else { continue };
        let message = format!("`{child}` waits for `{parent}`, which is never over");
        let help = format!("`{parent}` has `enrollment: continuous`: give it an `endAt`, or let nobody wait for it");
        checked.diagnostics.push(Diagnostic::new(Code::WaitsForEver, place.clone(), message).help(help));
        stuck.push((*child).clone());
    }
    for name in stuck {
        freeze_campaign(&name, checked);
    }
}
