//! Conflicts between `Account` manifests of the same rank that select the same account.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::core::domain::Name;
use crate::core::manifest::desired::AccountSelector;
use crate::core::manifest::desired::policy::Account;

/// Two manifests that set the same value, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::core::manifest) struct Clash<'a> {
    pub(in crate::core::manifest) between: [&'a Name; 2],
    /// The setting, as manifests write it.
    pub(in crate::core::manifest) key: &'static str,
    /// The account that both name; empty when the files cannot tell.
    pub(in crate::core::manifest) account: &'a str,
}

/// Finds manifests that name the same account and set the same key. It returns one key per pair.
pub(in crate::core::manifest) fn of_names(accounts: &BTreeMap<Name, Account>) -> Vec<Clash<'_>> {
    let mut first_to_say: HashMap<(&str, &str), &Name> = HashMap::new();
    let mut clash_texts: BTreeSet<[&Name; 2]> = BTreeSet::new();
    let mut found = Vec::new();
    for (name, manifest) in accounts {
        let AccountSelector::Names(ids) = &manifest.accounts else { continue };
        for (id, layer) in ids.iter().flat_map(|id| manifest.layers().map(move |layer| (id.as_str(), layer))) {
            let first = *first_to_say.entry((id, layer.key())).or_insert(name);
            if first != name && clash_texts.insert([first, name]) {
                found.push(Clash { between: [first, name], key: layer.key(), account: id });
            }
        }
    }
    found
}

/// Finds manifests with equally many labels that one account may match and that set different values for a key. It
/// returns one key per pair.
///
/// Label sets with the same keys meet only when they are equal, which a lookup finds. Only sets with different keys
/// are compared one by one, and they are few.
pub(in crate::core::manifest) fn of_labels(accounts: &BTreeMap<Name, Account>) -> Vec<Clash<'_>> {
    type Labels = BTreeMap<String, String>;
    type Group<'a> = HashMap<&'a Labels, Vec<(&'a Name, &'a Account)>>;
    let mut groups: BTreeMap<Vec<&str>, Group<'_>> = BTreeMap::new();
    let mut found = Vec::new();
    for (name, manifest) in accounts {
        let Some(labels) = manifest.accounts.labels() else { continue };
        let keys: Vec<&str> = labels.keys().map(String::as_str).collect();
        let same = groups.get(&keys).and_then(|group| group.get(labels)).into_iter().flatten();
        let others = groups.iter().filter(|(other, _)| other.len() == keys.len() && **other != keys);
        let meet = |other: &&Labels| other.iter().all(|(key, value)| labels.get(key).is_none_or(|mine| mine == value));
        let meeting =
            others.flat_map(|(_, group)| group.iter().filter(|(other, _)| meet(other))).flat_map(|(_, all)| all);
        for (other, earlier) in same.chain(meeting) {
            let differs = manifest.layers().find(|layer| {
                let is_other = earlier.layers().any(|one| one.key() == layer.key() && one != *layer);
                is_other && !is_decided(accounts, [manifest, earlier], layer.key())
            });
            found.extend(differs.map(|layer| Clash { between: [*other, name], key: layer.key(), account: "" }));
        }
        groups.entry(keys).or_default().entry(labels).or_default().push((name, manifest));
    }
    found.sort_by_key(|clash| clash.between);
    found
}

/// Returns true if a manifest with more labels decides the key for every account that matches both.
fn is_decided(accounts: &BTreeMap<Name, Account>, both: [&Account; 2], key: &str) -> bool {
    let [Some(one), Some(other)] = both.map(|account| account.accounts.labels()) else { return false };
    accounts.values().filter(|account| account.layers().any(|layer| layer.key() == key)).any(|account| {
        let has = |(key, value): (&String, &String)| one.get(key).or_else(|| other.get(key)) == Some(value);
        account.accounts.labels().is_some_and(|more| more.len() > one.len() && more.iter().all(has))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Clash, of_labels, of_names};
    use crate::core::domain::Name;
    use crate::core::manifest::desired::policy::Account;

    fn accounts(all: &[(&str, &str)]) -> BTreeMap<Name, Account> {
        let account = |(name, json): &(&str, &str)| (Name::parse(name).unwrap(), serde_json::from_str(json).unwrap());
        all.iter().map(account).collect()
    }

    fn clash_texts(clashes: &[Clash<'_>]) -> Vec<String> {
        clashes.iter().map(|c| format!("{} {} {} {}", c.between[0], c.between[1], c.key, c.account)).collect()
    }

    #[test]
    fn two_manifests_that_set_one_field_of_a_named_account_conflict() {
        let accounts = accounts(&[
            ("a", r#"{"accounts": {"names": ["a1", "a2"]}, "sending": "off", "messagesPerDay": 1}"#),
            ("b", r#"{"accounts": {"names": ["a1"]}, "enrollment": "off"}"#),
            ("c", r#"{"accounts": {"names": ["a2", "a3"]}, "sending": "off"}"#),
            ("d", r#"{"accounts": {"matchLabels": {"x": "y"}}, "sending": "on"}"#),
        ]);
        assert_eq!(clash_texts(&of_names(&accounts)), ["a c sending a2"]);
    }

    #[test]
    fn overlapping_labels_with_different_values_conflict() {
        let accounts = accounts(&[
            ("a", r#"{"accounts": {"matchLabels": {"x": "1"}}, "sending": "off"}"#),
            ("b", r#"{"accounts": {"matchLabels": {"x": "2"}}, "sending": "on"}"#),
            ("c", r#"{"accounts": {"matchLabels": {"y": "1"}}, "sending": "off", "messagesPerDay": 2}"#),
            ("d", r#"{"accounts": {"matchLabels": {"x": "1"}}, "sending": "on"}"#),
            ("e", r#"{"accounts": {"matchLabels": {"x": "1", "y": "1"}}, "sending": "on"}"#),
            ("f", r#"{"accounts": {"matchLabels": {"x": "2", "z": "1"}}, "sending": "off"}"#),
            ("g", r#"{"accounts": {"matchLabels": {"y": "1", "z": "1"}}, "sending": "off"}"#),
        ]);
        // `a` and `c` agree; `e` decides between `c` and `d`; no account matches both `e` and `f`.
        assert_eq!(clash_texts(&of_labels(&accounts)), ["a d sending ", "b c sending ", "e g sending "]);
    }
}
