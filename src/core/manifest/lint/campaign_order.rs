//! The order of campaigns: `runAfter` and queues, without circles and without endless waits.

use std::collections::BTreeMap;

use super::cycles as circle;
use super::findings::Findings;
use crate::core::diagnostic::{Code, Diagnostic, Place};
use crate::core::domain::Name;
use crate::core::manifest::desired::{Campaign, Desired, Enrollment};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::queue::QueueSpec;
use crate::core::manifest::parsed::{Manifest, Manifests, Spec};

/// A campaign that waits for another one, and the place where that is written.
pub(in crate::core::manifest) struct Wait<'a> {
    child: &'a Name,
    parent: &'a Name,
    place: Place,
    /// The number of awaited campaigns that may be unfinished when this one starts.
    spare: usize,
}

/// Campaigns that wait for each other.
pub(in crate::core::manifest) struct Circle<'a> {
    pub(in crate::core::manifest) diagnostic: Diagnostic,
    pub(in crate::core::manifest) members: Vec<&'a Name>,
    /// The campaign whose wait closes the circle.
    pub(in crate::core::manifest) closed_by: &'a Name,
}

/// Returns which campaign waits for which.
pub(in crate::core::manifest) fn waits<'a>(manifests: &Manifests<'a, '_>) -> Vec<Wait<'a>> {
    let mut waits = Vec::new();
    for manifest in manifests.of_kind(Kind::Campaign) {
        if let Some(Spec::Campaign(spec)) = &manifest.spec
            && let Some(parent) = &spec.run_after
        {
            let place = manifest.document.place("/spec/runAfter");
            waits.push(Wait { child: &manifest.name, parent, place, spare: 0 });
        }
    }
    for manifest in manifests.of_kind(Kind::Queue) {
        if let Some(Spec::Queue(spec)) = &manifest.spec {
            waits.extend(queue_waits(manifest, spec));
        }
    }
    waits
}

fn queue_waits<'a>(manifest: &Manifest<'_>, spec: &'a QueueSpec) -> Vec<Wait<'a>> {
    let parallelism = spec.parallelism.unwrap_or(1);
    let spare = usize::try_from(parallelism).unwrap_or(usize::MAX) - 1;
    let place = |index: usize| manifest.document.place(&format!("/spec/campaigns/{index}"));
    let wait = |(index, parent)| Wait { child: &spec.campaigns[index], parent, place: place(index), spare };
    circle::waits(&spec.campaigns, parallelism).into_iter().map(wait).collect()
}

/// Finds circles of campaigns that wait for each other.
pub(in crate::core::manifest) fn circles<'a>(waits: &[Wait<'a>]) -> Vec<Circle<'a>> {
    let pairs: Vec<(&Name, &Name)> = waits.iter().map(|wait| (wait.child, wait.parent)).collect();
    let found = circle::find(&pairs).into_iter();
    found.map(|circle| refused(circle.members, &waits[circle.closed_by])).collect()
}

fn refused<'a>(members: Vec<&'a Name>, wait: &Wait<'a>) -> Circle<'a> {
    let names: Vec<String> = members.iter().chain(members.first()).map(|name| format!("`{name}`")).collect();
    let message = format!("campaigns wait for each other in a circle: {}", names.join(" after "));
    let diagnostic = Diagnostic::new(Code::CampaignCycle, wait.place.clone(), message)
        .help(format!("here `{}` waits for `{}`; take one step of the circle out", wait.child, wait.parent));
    Circle { diagnostic, members, closed_by: wait.child }
}

/// Refuses campaigns that wait for one that never completes. Campaigns in a circle must be frozen first.
pub(in crate::core::manifest) fn waits_for_ever(waits: &[Wait<'_>], desired: &Desired) -> Findings {
    let endless =
        |campaign: &Campaign| campaign.enrollment == Enrollment::Continuous && campaign.schedule.end_at.is_none();
    let mut endless_ahead: BTreeMap<(&Name, &str), Vec<&Wait<'_>>> = BTreeMap::new();
    for wait in waits.iter().filter(|wait| desired.campaigns.get(wait.parent).is_some_and(endless)) {
        endless_ahead.entry((wait.child, &wait.place.pointer)).or_default().push(wait);
    }
    let mut findings = Findings::default();
    for ahead in endless_ahead.values() {
        let Some(Wait { child, parent, place, .. }) = ahead.get(ahead[0].spare).copied() else { continue };
        let message = format!("`{child}` waits for `{parent}`, which is never over");
        let help = format!("`{parent}` has `enrollment: continuous`: give it an `endAt`, or let nobody wait for it");
        findings.diagnostics.push(Diagnostic::new(Code::WaitsForEver, place.clone(), message).help(help));
        findings.broken.insert((*child).clone());
    }
    findings
}
