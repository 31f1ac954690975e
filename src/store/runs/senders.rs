//! Sender names of accounts.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::selector::accounts_of;
use crate::core::domain::AccountId;
use crate::core::manifest::desired::AccountSelector;
use crate::core::manifest::desired::policy::Policies;
use crate::store::{Error, Store};

/// The accounts by sender name, for one state of manifests and facts.
#[derive(Debug, Clone, Default)]
pub struct Senders {
    by_name: HashMap<String, Vec<AccountId>>,
    accounts: HashSet<AccountId>,
}

impl Senders {
    /// Returns the account with this sender name, if it is the only one.
    pub(in crate::store) fn only(&self, name: &str) -> Option<AccountId> {
        match self.by_name.get(name)?.as_slice() {
            [account] => Some(*account),
            _ => None,
        }
    }

    /// Returns the accounts with this sender name.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = AccountId> {
        self.by_name.get(name).into_iter().flatten().copied()
    }

    /// Returns true if the account has a sender name of its own instead of the shared one of its channel.
    pub fn has_own(&self, account: AccountId) -> bool {
        self.accounts.contains(&account)
    }
}

impl Store {
    /// Reads the accounts that have a sender name of their own.
    pub async fn senders(&self, policies: &Policies) -> Result<Senders, Error> {
        const OPERATION: &str = "read the senders of accounts";
        let selectors: Vec<&AccountSelector> = policies.with_sender().collect();
        if selectors.is_empty() {
            return Ok(Senders::default());
        }
        let mut db = self.looking().await?;
        let ids = accounts_of(&mut db, &selectors).await?;
        let rows: Vec<(i32, String, Value)> =
            sqlx::query_as("select id, external_id, attributes from account where id = any($1) order by id")
                .bind(ids.into_iter().map(|id| id.0).collect::<Vec<_>>())
                .fetch_all(&mut *db)
                .await
                .map_err(Error::during(OPERATION))?;
        let mut senders = Senders::default();
        for (id, name, attributes) in rows {
            if let Some(sender) = &policies.of(&name, &attributes).sender {
                senders.by_name.entry(sender.clone()).or_default().push(AccountId(id));
                senders.accounts.insert(AccountId(id));
            }
        }
        Ok(senders)
    }
}
