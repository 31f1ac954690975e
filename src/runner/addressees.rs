//! Which account is written to at which number, kept up to date.

use crate::manifest::policy::Policies;
use crate::store::{self, Senders, Store};

/// The accounts by their numbers when somebody was last written to.
#[derive(Debug, Default)]
pub struct Addressees {
    policies: Option<(i64, Policies)>,
    /// As of these generations of manifests and facts.
    senders: Option<((i64, i64), Senders)>,
}

impl Addressees {
    /// What holds now.
    pub(super) async fn now(&mut self, store: &Store) -> Result<&Senders, store::Error> {
        let (generation, facts) = (store.generation().await?, store.facts_generation().await?);
        if self.senders.as_ref().is_none_or(|(known, _)| *known != (generation, facts)) {
            let held = self.policies.take().filter(|(known, _)| *known == generation);
            let (known, policies) = if let Some(held) = held {
                held
            } else {
                let now = store.in_force().await?;
                (now.generation, now.desired.policies())
            };
            self.senders = Some(((known, facts), store.senders(&policies).await?));
            self.policies = Some((known, policies));
        }
        Ok(&self.senders.get_or_insert_default().1)
    }
}
