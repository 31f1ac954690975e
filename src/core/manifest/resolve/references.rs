//! References from one manifest to another.

use std::collections::BTreeSet;

use super::checked::Checked;
use crate::core::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::defaults::DefaultsSpec;
use crate::core::manifest::parsed::{Manifest, Manifests, Spec};

/// All manifests, indexed by kind and name.
pub(in crate::core::manifest) struct Tree<'a, 'f> {
    pub(in crate::core::manifest) manifests: Manifests<'a, 'f>,
    pub(in crate::core::manifest) broken: BTreeSet<(Kind, Name)>,
    pub(in crate::core::manifest) defaults: Option<&'a DefaultsSpec>,
    pub(in crate::core::manifest) defaults_broken: bool,
}

pub(in crate::core::manifest) enum Found<'a> {
    Sound(&'a Spec),
    Broken,
    /// The manifest does not exist, which is reported.
    Unknown,
}

pub(in crate::core::manifest) fn index<'a, 'f>(manifests: &'a [Manifest<'f>], checked: &mut Checked) -> Tree<'a, 'f> {
    let mut tree = Tree {
        manifests: Manifests::default(),
        broken: std::mem::take(&mut checked.broken),
        defaults: None,
        defaults_broken: false,
    };
    for manifest in manifests {
        let key = (manifest.kind, manifest.name.clone());
        if manifest.broken || manifest.spec.is_none() {
            tree.broken.insert(key.clone());
        }
        if let Some(first) = tree.manifests.add(manifest) {
            let message = format!("there are two `{}` manifests named `{}`", manifest.kind, manifest.name);
            checked.diagnostics.push(
                Diagnostic::new(Code::DuplicateManifest, manifest.document.place("/metadata/name"), message)
                    .related(first.document.place("/metadata/name"), "the other one")
                    .help("rename or remove one of them"),
            );
            tree.broken.insert(key);
        }
    }
    tree
}

impl<'a, 'f> Tree<'a, 'f> {
    /// Selects the one `Defaults`. When it exists but cannot be used, nothing that depends on it can be trusted.
    pub(in crate::core::manifest) fn find_defaults(&mut self, checked: &mut Checked) -> Option<&'a Manifest<'f>> {
        let all: Vec<_> = self.manifests.of_kind(Kind::Defaults);
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

    pub(in crate::core::manifest) fn check_defaults(&mut self, manifest: &Manifest<'_>, checked: &mut Checked) {
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

    /// Follows a reference, and reports one to a missing manifest.
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
        let names = || self.manifests.all().filter(|other| other.kind == kind).map(|other| other.name.as_str());
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
        let manifest = self.manifests.get(kind, name);
        manifest.and_then(|manifest| manifest.spec.as_ref()).map_or(Found::Unknown, Found::Sound)
    }
}
