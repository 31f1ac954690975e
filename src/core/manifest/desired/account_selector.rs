//! The accounts that a manifest selects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which accounts a campaign runs for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccountSelector {
    All,
    /// External ids.
    Names(Vec<String>),
    /// Exact matches on imported extra columns.
    MatchLabels(BTreeMap<String, String>),
}

impl AccountSelector {
    /// The same, however its names were ordered or repeated.
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

    /// The extra columns it goes by, if it does.
    pub fn labels(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::MatchLabels(labels) => Some(labels),
            Self::All | Self::Names(_) => None,
        }
    }

    /// Whether it takes in the account with this id and these extra columns.
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
