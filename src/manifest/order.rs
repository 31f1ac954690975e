//! The order of campaigns: `runAfter` and queues, without circles and without waiting for ever.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Checked;
use super::desired::{Campaign, Enrollment};
use super::kind::Kind;
use super::queue::QueueSpec;
use super::read::{Manifest, Spec};
use super::resolve::{Found, Tree, freeze_campaign};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::domain::Name;

/// Somebody waits for somebody, and where that is written.
struct Wait<'a> {
    child: &'a Name,
    parent: &'a Name,
    place: Place,
    /// How many of those it waits for may be unfinished when it begins.
    spare: usize,
}

/// Takes sound queues into the desired state, and refuses orders that nobody could keep.
pub(super) fn check(tree: &Tree<'_, '_>, checked: &mut Checked) {
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

/// A campaign waits for all before it once there are as many of them as may run at once.
fn queue_waits<'a>(manifest: &Manifest<'_>, spec: &'a QueueSpec) -> Vec<Wait<'a>> {
    let parallelism = spec.parallelism.map_or(1, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let mut waits = Vec::new();
    for (index, child) in spec.campaigns.iter().enumerate().skip(parallelism) {
        let place = manifest.document.place(&format!("/spec/campaigns/{index}"));
        // Those before the one before it wait in their turn.
        let parents = if parallelism == 1 { &spec.campaigns[index - 1..index] } else { &spec.campaigns[..index] };
        let wait = |parent| Wait { child, parent, place: place.clone(), spare: parallelism - 1 };
        waits.extend(parents.iter().map(wait));
    }
    waits
}

fn refuse_circles(waits: &[Wait<'_>], checked: &mut Checked) {
    let mut parents: BTreeMap<&Name, Vec<&Wait<'_>>> = BTreeMap::new();
    for wait in waits {
        parents.entry(wait.child).or_default().push(wait);
    }
    let mut done: BTreeSet<&Name> = BTreeSet::new();
    for start in parents.keys().copied() {
        // What is left to look at of each campaign on the way.
        let mut path: Vec<(&Name, usize)> = vec![(start, 0)];
        while let Some((name, next)) = path.last_mut() {
            let wait = parents.get(*name).and_then(|waits| waits.get(*next)).copied();
            let Some(wait) = wait.filter(|_| !done.contains(*name)) else {
                done.insert(*name);
                path.pop();
                continue;
            };
            *next += 1;
            if let Some(begin) = path.iter().position(|(name, _)| *name == wait.parent) {
                let circle: Vec<&Name> = path[begin..].iter().map(|(name, _)| *name).collect();
                refuse_circle(&circle, wait, checked);
                done.extend(circle);
            } else if !done.contains(wait.parent) {
                path.push((wait.parent, 0));
            }
        }
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
