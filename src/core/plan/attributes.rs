//! The imported extra columns that decide which people and accounts a tree applies to.

use std::collections::BTreeMap;

use super::Kind;
use crate::core::domain::Name;
use crate::core::manifest::Desired;
use crate::core::manifest::desired::AccountSelector;

/// Returns the attributes, of people or accounts, that campaigns and accounts of `desired` use.
///
/// Each comes with the first manifest that uses it: campaigns before accounts.
pub fn attributes(desired: &Desired) -> BTreeMap<&str, (Kind, &Name)> {
    let mut asked = BTreeMap::new();
    for (name, campaign) in &desired.campaigns {
        for key in campaign.filter.attributes.keys().chain(keys(&campaign.accounts)) {
            asked.entry(key.as_str()).or_insert((Kind::Campaign, name));
        }
    }
    for (name, account) in &desired.accounts {
        for key in keys(&account.accounts) {
            asked.entry(key.as_str()).or_insert((Kind::Account, name));
        }
    }
    asked
}

fn keys(accounts: &AccountSelector) -> impl Iterator<Item = &String> {
    accounts.labels().into_iter().flat_map(BTreeMap::keys)
}

#[cfg(test)]
mod tests {
    use super::attributes;
    use crate::core::manifest;
    use crate::core::manifest::{SourceFile, Sources};

    #[test]
    fn filters_and_labels_request_their_attributes() {
        let tree = "apiVersion: relance/v1
kind: Sequence
metadata: {name: s}
spec: {fallbackLanguage: fr, days: [{day: 1, text: {fr: 'Bonjour. STOP'}}]}
---
apiVersion: relance/v1
kind: Campaign
metadata: {name: b}
spec: {type: filtered, sequenceRef: s, accounts: {matchLabels: {region: west}}, filter: {attributes: {tier: gold}}}
---
apiVersion: relance/v1
kind: Campaign
metadata: {name: a}
spec: {type: filtered, sequenceRef: s, filter: {attributes: {tier: silver}}}
---
apiVersion: relance/v1
kind: Account
metadata: {name: trial}
spec: {accounts: {matchLabels: {plan: trial, region: west}}, enrollment: off}
";
        let file = SourceFile { path: "tree.yaml".to_owned(), bytes: tree.into() };
        let checked = manifest::check(&Sources::from(vec![file]));
        assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
        let asked = attributes(&checked.desired);
        let asked: Vec<_> = asked.iter().map(|(key, (kind, name))| (*key, kind.as_str(), name.as_str())).collect();
        assert_eq!(asked, [("plan", "Account", "trial"), ("region", "Campaign", "b"), ("tier", "Campaign", "a")]);
    }
}
