//! Who sends by what, kept up to date: which account is written to at which number, and which campaigns use which templates.

use std::collections::{BTreeSet, HashSet};

use crate::lifecycle::means::Means;
use crate::manifest::policy::Policies;
use crate::store::{self, SenderName, Senders, Store};

/// What was in force when somebody last asked.
#[derive(Debug, Default)]
pub struct Addressees {
    held: Option<(i64, Policies, Means)>,
    /// As of these generations of manifests and facts.
    senders: Option<((i64, i64), Senders)>,
    /// What is known to be remembered already.
    learnt: HashSet<SenderName>,
}

impl Addressees {
    /// The accounts by their numbers.
    pub(super) async fn senders(&mut self, store: &Store) -> Result<&Senders, store::Error> {
        let (generation, facts) = (store.generation().await?, store.facts_generation().await?);
        if self.senders.as_ref().is_none_or(|(known, _)| *known != (generation, facts)) {
            let (known, policies, _) = self.in_force(store, generation).await?;
            self.senders = Some(((*known, facts), store.senders(policies).await?));
        }
        Ok(&self.senders.get_or_insert_default().1)
    }

    /// By what means campaigns write.
    pub(super) async fn means(&mut self, store: &Store) -> Result<&Means, store::Error> {
        let generation = store.generation().await?;
        Ok(&self.in_force(store, generation).await?.2)
    }

    /// Remembers what numbers are called, as far as that is news.
    pub(super) async fn learn(&mut self, store: &Store, names: BTreeSet<SenderName>) -> Result<(), store::Error> {
        let news: BTreeSet<SenderName> = names.into_iter().filter(|name| !self.learnt.contains(name)).collect();
        store.learn_senders(&news).await?;
        self.learnt.extend(news);
        Ok(())
    }

    async fn in_force(&mut self, store: &Store, generation: i64) -> Result<&(i64, Policies, Means), store::Error> {
        let held = self.held.take().filter(|(known, ..)| *known == generation);
        let held = if let Some(held) = held {
            held
        } else {
            let now = store.in_force().await?;
            (now.generation, now.desired.policies(), Means::of(&now.desired, &now.campaigns))
        };
        Ok(self.held.insert(held))
    }
}
