//! The accounts that a manifest selects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A selector of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccountSelector {
    All,
    /// External ids of accounts.
    Names(Vec<String>),
    /// Exact values of extra columns of the import.
    MatchLabels(BTreeMap<String, String>),
}

impl AccountSelector {
    /// Returns the canonical form: names sorted and without duplicates.
    #[must_use]
    pub(in crate::core::manifest) fn in_order(self) -> Self {
        match self {
            Self::Names(mut names) => {
                names.sort_unstable();
                names.dedup();
                Self::Names(names)
            }
            other => other,
        }
    }

    /// Returns the labels that the selector matches, if it matches labels.
    pub fn labels(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::MatchLabels(labels) => Some(labels),
            Self::All | Self::Names(_) => None,
        }
    }

    /// Returns true if it selects the account with this id and these extra columns.
    pub fn selects(&self, id: &str, columns: &serde_json::Value) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.iter().any(|name| name == id),
            Self::MatchLabels(labels) => {
                labels.iter().all(|(key, value)| columns.get(key).and_then(serde_json::Value::as_str) == Some(value))
            }
        }
    }
}
