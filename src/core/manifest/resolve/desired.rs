//! The resolution of references and defaults, from manifests to [`Desired`](crate::core::manifest::Desired).

use std::collections::BTreeSet;

use super::account;
use super::campaign::resolve_campaign;
use super::checked::Checked;
use super::order;
use super::references::index;
use crate::core::domain::Name;
use crate::core::manifest::desired::Sequence;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::sequence::SequenceSpec;
use crate::core::manifest::lint::ban_risk;
use crate::core::manifest::lint::channel_fit as by_channel;
use crate::core::manifest::lint::default_overlaps as overlap;
use crate::core::manifest::parsed::{Manifest, Spec};
use crate::core::manifest::syntax::document::Document;
use crate::core::manifest::testcase as campaign_test;
use crate::core::manifest::testcase::CampaignTestSpec;

pub(in crate::core::manifest) fn resolve(manifests: Vec<Manifest<'_>>, checked: &mut Checked) {
    resolve_all_but_sequences(&manifests, checked);
    let has_tests = manifests.iter().any(|manifest| manifest.kind == Kind::CampaignTest);
    let names = if has_tests { names(&manifests, checked) } else { BTreeSet::new() };
    let mut tests = Vec::new();
    for manifest in manifests {
        let is_broken = checked.broken.contains(&(manifest.kind, manifest.name.clone()));
        match manifest.spec {
            // Sequences are the bulk of a tree, so they are moved, not copied.
            Some(Spec::Sequence(spec)) if !is_broken => {
                checked.desired.sequences.extend(sequence(spec).map(|sequence| (manifest.name, sequence)));
            }
            Some(Spec::CampaignTest(spec)) if !is_broken => tests.push((manifest.name, spec, manifest.document)),
            _ => {}
        }
    }
    // Tests come last, since they refer to everything else.
    for (name, spec, document) in &tests {
        resolve_test(name, spec, document, &names, checked);
    }
}

/// Returns the names of all manifests, sound or broken.
fn names(manifests: &[Manifest<'_>], checked: &Checked) -> BTreeSet<(Kind, Name)> {
    let sound = manifests.iter().map(|manifest| (manifest.kind, manifest.name.clone()));
    sound.chain(checked.broken.iter().cloned()).collect()
}

fn resolve_test(
    name: &Name,
    spec: &CampaignTestSpec,
    document: &Document<'_>,
    names: &BTreeSet<(Kind, Name)>,
    checked: &mut Checked,
) {
    let before = checked.diagnostics.len();
    let test = campaign_test::resolve(spec, name, document);
    if let Some(test) = &test {
        let is_vague = checked.unnamed || checked.broken.iter().any(|(kind, _)| *kind != Kind::CampaignTest);
        let tree = campaign_test::Tree { names, desired: &checked.desired, is_vague };
        campaign_test::check_against(&tree, test, document, &mut checked.diagnostics);
    }
    match test.filter(|_| checked.diagnostics.len() == before) {
        Some(test) => checked.tests.push(test),
        None => drop(checked.broken.insert((Kind::CampaignTest, name.clone()))),
    }
}

fn resolve_all_but_sequences(manifests: &[Manifest<'_>], checked: &mut Checked) {
    let mut tree = index(manifests, checked);
    if let Some(manifest) = tree.find_defaults(checked) {
        tree.check_defaults(manifest, checked);
    }
    if let Some(defaults) = tree.defaults {
        checked.desired.defaults = defaults.policy();
    }
    for manifest in tree.manifests.all() {
        let name = &manifest.name;
        let is_broken = tree.broken.contains(&(manifest.kind, name.clone()));
        match &manifest.spec {
            Some(Spec::Campaign(spec)) => {
                let campaign = resolve_campaign(&tree, manifest, spec, checked);
                if let Some(campaign) = campaign.filter(|_| !is_broken && !tree.defaults_broken) {
                    checked.desired.campaigns.insert(name.clone(), campaign);
                    continue;
                }
                if let Some((_, defaults)) = tree.broken.iter().find(|(kind, _)| *kind == Kind::Defaults) {
                    checked.blame.add((Kind::Campaign, name), (Kind::Defaults, defaults));
                }
                checked.freeze_campaign(name);
            }
            Some(Spec::Channel(spec)) if !is_broken => {
                checked.desired.channels.extend(spec.resolve().map(|channel| (name.clone(), channel)));
            }
            Some(Spec::Notifier(spec)) if !is_broken => {
                checked.desired.notifiers.insert(name.clone(), spec.resolve());
            }
            // These kinds are moved later, checked together, or inlined where they are used; broken ones are already
            // recorded. A test is resolved at the end, since it is no part of the desired state.
            Some(
                Spec::Filter(_)
                | Spec::Schedule(_)
                | Spec::Defaults(_)
                | Spec::Sequence(_)
                | Spec::Channel(_)
                | Spec::Queue(_)
                | Spec::Account(_)
                | Spec::Notifier(_)
                | Spec::CampaignTest(_),
            )
            | None => {}
        }
    }
    checked.broken.extend(tree.broken.iter().cloned());
    account::check(&tree, checked);
    checked.refuse(overlap::check(&tree.manifests.of_kind(Kind::Campaign)));
    checked.refuse(by_channel::check(&tree.manifests, &checked.desired));
    checked.diagnostics.extend(ban_risk::check(&tree.manifests, &checked.desired));
    order::check(&tree, checked);
}

fn sequence(spec: SequenceSpec) -> Option<Sequence> {
    let fallback_language = spec.fallback()?;
    Some(Sequence { days: spec.days.into_iter().map(|day| (day.day, day.resolve())).collect(), fallback_language })
}
