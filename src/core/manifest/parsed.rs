//! Parsed manifests: kind, name, spec as written, and place.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::kinds::account::AccountSpec;
use super::kinds::annotations::Annotations;
use super::kinds::campaign::CampaignSpec;
use super::kinds::channel::ChannelSpec;
use super::kinds::defaults::DefaultsSpec;
use super::kinds::filter::FilterSpec;
use super::kinds::notifier::NotifierSpec;
use super::kinds::queue::QueueSpec;
use super::kinds::schedule::ScheduleSpec;
use super::kinds::sequence::SequenceSpec;
use super::syntax::document::Document;
use super::testcase::CampaignTestSpec;
use crate::core::domain::Name;

/// One manifest with a kind and a name.
#[derive(Debug)]
pub(in crate::core::manifest) struct Manifest<'a> {
    pub(in crate::core::manifest) document: Document<'a>,
    pub(in crate::core::manifest) kind: Kind,
    pub(in crate::core::manifest) name: Name,
    /// The part that could be read; of a broken manifest possibly not all of it.
    pub(in crate::core::manifest) spec: Option<Spec>,
    /// The manifest has errors and must not be used.
    pub(in crate::core::manifest) broken: bool,
    pub(in crate::core::manifest) annotations: Annotations,
}

#[derive(Debug)]
pub(in crate::core::manifest) enum Spec {
    Campaign(Box<CampaignSpec>),
    Filter(Box<FilterSpec>),
    Schedule(Box<ScheduleSpec>),
    Sequence(SequenceSpec),
    Defaults(Box<DefaultsSpec>),
    Channel(Box<ChannelSpec>),
    Queue(QueueSpec),
    Account(Box<AccountSpec>),
    Notifier(NotifierSpec),
    CampaignTest(Box<CampaignTestSpec>),
}

/// Manifests indexed by kind and name.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct Manifests<'a, 'f>(BTreeMap<(Kind, &'a Name), &'a Manifest<'f>>);

impl<'a, 'f> Manifests<'a, 'f> {
    /// Adds a manifest. If one of its kind and name exists, that one stays and is returned.
    pub(in crate::core::manifest) fn add(&mut self, manifest: &'a Manifest<'f>) -> Option<&'a Manifest<'f>> {
        let first = *self.0.entry((manifest.kind, &manifest.name)).or_insert(manifest);
        (!std::ptr::eq(first, manifest)).then_some(first)
    }

    pub(in crate::core::manifest) fn get(&self, kind: Kind, name: &Name) -> Option<&'a Manifest<'f>> {
        self.0.get(&(kind, name)).copied()
    }

    /// Returns the manifests of a kind, by name.
    pub(in crate::core::manifest) fn of_kind(&self, kind: Kind) -> Vec<&'a Manifest<'f>> {
        self.all().filter(|manifest| manifest.kind == kind).collect()
    }

    /// Returns all manifests, by kind and name.
    pub(in crate::core::manifest) fn all(&self) -> impl Iterator<Item = &'a Manifest<'f>> {
        self.0.values().copied()
    }
}
