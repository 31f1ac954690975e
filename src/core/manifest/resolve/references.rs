//! References and defaults: manifests into [`Desired`](crate::core::manifest::Desired).

use std::collections::{BTreeMap, BTreeSet};

use super::campaign::resolve_campaign;
use super::check::Checked;
use super::read::{Manifest, Spec};
use crate::core::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::core::domain::Name;
use crate::core::manifest::desired::Sequence;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::account;
use crate::core::manifest::kinds::defaults::DefaultsSpec;
use crate::core::manifest::kinds::sequence::SequenceSpec;
use crate::core::manifest::lint::ban_risk;
use crate::core::manifest::lint::campaign_order as order;
use crate::core::manifest::lint::channel_fit as by_channel;
use crate::core::manifest::lint::default_overlaps as overlap;
use crate::core::manifest::syntax::document::Document;
use crate::core::manifest::testcase as campaign_test;
use crate::core::manifest::testcase::CampaignTestSpec;

/// All manifests by kind and name.
pub(in crate::core::manifest) struct Tree<'a, 'f> {
    manifests: BTreeMap<(Kind, &'a Name), &'a Manifest<'f>>,
    broken: BTreeSet<(Kind, Name)>,
    pub(in crate::core::manifest) defaults: Option<&'a DefaultsSpec>,
    pub(in crate::core::manifest) defaults_broken: bool,
}

pub(in crate::core::manifest) enum Found<'a> {
    Sound(&'a Spec),
    Broken,
    /// Reported.
    Unknown,
}

pub(in crate::core::manifest) fn resolve(manifests: Vec<Manifest<'_>>, checked: &mut Checked) {
    resolve_all_but_sequences(&manifests, checked);
    let has_tests = manifests.iter().any(|manifest| manifest.kind == Kind::CampaignTest);
    let names = if has_tests { names(&manifests, checked) } else { BTreeSet::new() };
    let mut tests = Vec::new();
    for manifest in manifests {
        let is_broken = checked.broken.contains(&(manifest.kind, manifest.name.clone()));
        match manifest.spec {
            // Sequences are most of what there is: they are moved, not copied.
            Some(Spec::Sequence(spec)) if !is_broken => {
                checked.desired.sequences.extend(sequence(spec).map(|sequence| (manifest.name, sequence)));
            }
            Some(Spec::CampaignTest(spec)) if !is_broken => tests.push((manifest.name, spec, manifest.document)),
            _ => {}
        }
    }
    // Last: tests speak of all that the others came to.
    for (name, spec, document) in &tests {
        resolve_test(name, spec, document, &names, checked);
    }
}

/// Everything that is there, broken or not.
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
    for ((kind, name), manifest) in &tree.manifests {
        let is_broken = tree.broken.contains(&(*kind, (*name).clone()));
        match &manifest.spec {
            Some(Spec::Campaign(spec)) => {
                let campaign = resolve_campaign(&tree, manifest, spec, checked);
                if let Some(campaign) = campaign.filter(|_| !is_broken && !tree.defaults_broken) {
                    checked.desired.campaigns.insert((*name).clone(), campaign);
                    continue;
                }
                if let Some((_, defaults)) = tree.broken.iter().find(|(kind, _)| *kind == Kind::Defaults) {
                    checked.blame.add((Kind::Campaign, name), (Kind::Defaults, defaults));
                }
                freeze_campaign(name, checked);
            }
            Some(Spec::Channel(spec)) if !is_broken => {
                checked.desired.channels.extend(spec.resolve().map(|channel| ((*name).clone(), channel)));
            }
            Some(Spec::Notifier(spec)) if !is_broken => {
                checked.desired.notifiers.insert((*name).clone(), spec.resolve());
            }
            // Moved later, looked at together, or inlined where they are used; broken ones are recorded already.
            // A test is resolved at the end: it is no part of what it speaks of.
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
    overlap::check(&tree.of_kind(Kind::Campaign), checked);
    by_channel::check(&tree, checked);
    ban_risk::check(&tree, checked);
    order::check(&tree, checked);
}

/// Takes a campaign out, with the sequence that its own days made.
pub(in crate::core::manifest) fn freeze_campaign(name: &Name, checked: &mut Checked) {
    checked.desired.campaigns.remove(name);
    checked.desired.sequences.remove(name);
    checked.broken.insert((Kind::Campaign, name.clone()));
}

fn index<'a, 'f>(manifests: &'a [Manifest<'f>], checked: &mut Checked) -> Tree<'a, 'f> {
    let mut tree = Tree {
        manifests: BTreeMap::new(),
        broken: std::mem::take(&mut checked.broken),
        defaults: None,
        defaults_broken: false,
    };
    for manifest in manifests {
        let key = (manifest.kind, manifest.name.clone());
        if manifest.broken || manifest.spec.is_none() {
            tree.broken.insert(key.clone());
        }
        if let Some(first) = tree.manifests.get(&(manifest.kind, &manifest.name)) {
            let message = format!("there are two `{}` manifests named `{}`", manifest.kind, manifest.name);
            checked.diagnostics.push(
                Diagnostic::new(Code::DuplicateManifest, manifest.document.place("/metadata/name"), message)
                    .related(first.document.place("/metadata/name"), "the other one")
                    .help("rename or remove one of them"),
            );
            tree.broken.insert(key);
        } else {
            tree.manifests.insert((manifest.kind, &manifest.name), manifest);
        }
    }
    tree
}

impl<'a, 'f> Tree<'a, 'f> {
    /// Picks the one `Defaults`. When there is none that can be used although there should be one, nothing that
    /// depends on it is certain.
    fn find_defaults(&mut self, checked: &mut Checked) -> Option<&'a Manifest<'f>> {
        let all: Vec<_> = self.manifests.values().copied().filter(|m| m.kind == Kind::Defaults).collect();
        for second in all.iter().skip(1) {
            checked.diagnostics.push(
                Diagnostic::new(
                    Code::SecondDefaults,
                    second.document.place("/kind"),
                    format!("there are two `Defaults` manifests, `{}` and `{}`", all[0].name, second.name),
                )
                .related(all[0].document.place("/kind"), "the other one")
                .help("merge them into one"),
            );
        }
        if all.len() > 1 {
            self.broken.extend(all.iter().map(|manifest| (Kind::Defaults, manifest.name.clone())));
        }
        self.defaults_broken = self.broken.iter().any(|(kind, _)| *kind == Kind::Defaults);
        let first = all.first().copied()?;
        if let Some(Spec::Defaults(spec)) = &first.spec {
            self.defaults = Some(spec);
        }
        Some(first)
    }

    fn check_defaults(&mut self, manifest: &Manifest<'_>, checked: &mut Checked) {
        let Some(defaults) = self.defaults else { return };
        let references = [
            (Kind::Sequence, "/spec/sequenceRef", &defaults.sequence_ref),
            (Kind::Channel, "/spec/channelRef", &defaults.channel_ref),
        ];
        for (kind, at, name) in references {
            let Some(name) = name else { continue };
            if !matches!(self.find(manifest, kind, at, name, checked), Found::Sound(_)) {
                self.defaults_broken = true;
                self.broken.insert((Kind::Defaults, manifest.name.clone()));
            }
        }
    }

    /// Follows a reference; reports one that leads nowhere.
    pub(in crate::core::manifest) fn find(
        &self,
        from: &Manifest<'_>,
        kind: Kind,
        at: &str,
        name: &Name,
        checked: &mut Checked,
    ) -> Found<'a> {
        let found = self.find_quietly(kind, name);
        if matches!(found, Found::Broken) {
            checked.blame.add((from.kind, &from.name), (kind, name));
        }
        if !matches!(found, Found::Unknown) {
            return found;
        }
        let names = || self.manifests.keys().filter(|(other, _)| *other == kind).map(|(_, name)| name.as_str());
        let some: Vec<&str> = names().take(8).collect();
        let others = if some.is_empty() {
            format!("there is no `{kind}` manifest at all")
        } else {
            format!("there are `{}`", some.join("`, `"))
        };
        let message = format!("there is no `{kind}` named `{name}`");
        checked.diagnostics.push(
            Diagnostic::new(Code::UnknownReference, from.document.place(at), message)
                .help(did_you_mean(name.as_str(), names()).unwrap_or(others)),
        );
        Found::Unknown
    }

    pub(in crate::core::manifest) fn find_quietly(&self, kind: Kind, name: &Name) -> Found<'a> {
        if self.broken.contains(&(kind, name.clone())) {
            return Found::Broken;
        }
        let manifest = self.manifests.get(&(kind, name));
        manifest.and_then(|manifest| manifest.spec.as_ref()).map_or(Found::Unknown, Found::Sound)
    }

    pub(in crate::core::manifest) fn manifest(&self, kind: Kind, name: &Name) -> Option<&'a Manifest<'f>> {
        self.manifests.get(&(kind, name)).copied()
    }

    pub(in crate::core::manifest) fn has_sequence(&self, name: &Name) -> bool {
        self.manifests.contains_key(&(Kind::Sequence, name))
    }

    pub(in crate::core::manifest) fn of_kind(&self, kind: Kind) -> Vec<&'a Manifest<'f>> {
        self.manifests.values().copied().filter(|manifest| manifest.kind == kind).collect()
    }
}

fn sequence(spec: SequenceSpec) -> Option<Sequence> {
    let fallback_language = spec.fallback()?;
    Some(Sequence { days: spec.days.into_iter().map(|day| (day.day, day.resolve())).collect(), fallback_language })
}
