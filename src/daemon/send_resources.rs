//! Who sends by what, kept up to date: which account is written to at which number, and which campaigns use which templates.

use std::collections::{BTreeSet, HashSet};

use crate::core::lifecycle::send_resources::SendResources;
use crate::core::manifest::desired::policy::Policies;
use crate::store;
use crate::store::{SenderName, Senders, Store};

/// What was in force when somebody last asked.
#[derive(Debug, Default)]
pub struct SenderDirectory {
    /// As of this generation of manifests.
    generation: Option<i64>,
    policies: Policies,
    means: SendResources,
    /// As of these generations of manifests and facts.
    senders_as_of: Option<(i64, i64)>,
    senders: Senders,
    /// What is known to be remembered already, as of a generation of manifests: with a channel that goes, so does what it was
    /// told.
    learnt: (Option<i64>, HashSet<SenderName>),
}

impl SenderDirectory {
    /// The accounts by their numbers.
    pub(super) async fn senders(&mut self, store: &Store) -> Result<&Senders, store::Error> {
        let (generation, facts) = (store.generation().await?, store.facts_generation().await?);
        if self.senders_as_of != Some((generation, facts)) {
            self.look_up(store, generation).await?;
            self.senders = store.senders(&self.policies).await?;
            self.senders_as_of = self.generation.map(|generation| (generation, facts));
        }
        Ok(&self.senders)
    }

    /// By what means campaigns write, and the accounts by their numbers.
    pub(super) async fn by_what(&mut self, store: &Store) -> Result<(&SendResources, &Senders), store::Error> {
        self.senders(store).await?;
        Ok((&self.means, &self.senders))
    }

    /// Remembers what numbers are called, as far as that is news.
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

    /// Looks what is in force, unless that is known.
    async fn look_up(&mut self, store: &Store, generation: i64) -> Result<(), store::Error> {
        if self.generation != Some(generation) {
            let now = store.in_force().await?;
            self.generation = Some(now.generation);
            self.policies = now.desired.policies();
            self.means = SendResources::of(&now.desired, &now.campaigns);
        }
        Ok(())
    }
}
