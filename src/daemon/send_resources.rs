//! A cache of send resources: the number of each account and the templates of each campaign, refreshed when they
//! change.

use std::collections::{BTreeSet, HashSet};

use crate::core::lifecycle::send_resources::SendResources;
use crate::core::manifest::desired::policy::Policies;
use crate::store;
use crate::store::{SenderName, Senders, Store};

/// The senders and send resources of the last lookup.
#[derive(Debug, Default)]
pub struct SenderDirectory {
    /// The manifest generation of `policies` and `resources`.
    generation: Option<i64>,
    policies: Policies,
    resources: SendResources,
    /// The manifest and facts generations of `senders`.
    senders_as_of: Option<(i64, i64)>,
    senders: Senders,
    /// The sender names already stored, with the manifest generation for which this holds. Removing a channel also
    /// removes its stored names, so a new generation starts empty.
    learnt: (Option<i64>, HashSet<SenderName>),
}

impl SenderDirectory {
    /// Returns the accounts by their numbers, as of the current manifests and facts.
    pub(super) async fn senders(&mut self, store: &Store) -> Result<&Senders, store::Error> {
        let (generation, facts) = (store.generation().await?, store.facts_generation().await?);
        if self.senders_as_of != Some((generation, facts)) {
            self.look_up(store, generation).await?;
            self.senders = store.senders(&self.policies).await?;
            self.senders_as_of = self.generation.map(|generation| (generation, facts));
        }
        Ok(&self.senders)
    }

    /// Returns the send resources of the campaigns, and the accounts by their numbers.
    pub(super) async fn by_what(&mut self, store: &Store) -> Result<(&SendResources, &Senders), store::Error> {
        self.senders(store).await?;
        Ok((&self.resources, &self.senders))
    }

    /// Stores the names of numbers that are not stored yet.
    pub(super) async fn learn(&mut self, store: &Store, names: BTreeSet<SenderName>) -> Result<(), store::Error> {
        if names.is_empty() {
            return Ok(());
        }
        let generation = Some(store.generation().await?);
        if self.learnt.0 != generation {
            self.learnt = (generation, HashSet::new());
        }
        let news: BTreeSet<SenderName> = names.into_iter().filter(|name| !self.learnt.1.contains(name)).collect();
        store.learn_senders(&news).await?;
        self.learnt.1.extend(news);
        Ok(())
    }

    /// Reads the desired state in force, unless its generation is cached.
    async fn look_up(&mut self, store: &Store, generation: i64) -> Result<(), store::Error> {
        if self.generation != Some(generation) {
            let now = store.in_force().await?;
            self.generation = Some(now.generation);
            self.policies = now.desired.policies();
            self.resources = SendResources::of(&now.desired, &now.campaigns);
        }
        Ok(())
    }
}
