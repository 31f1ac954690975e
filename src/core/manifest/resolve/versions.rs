//! Digests of manifests as written. They tell if the files hold another version of an object than the one that was
//! applied, even when the stored object itself cannot be read.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::core::domain::{Name, hex};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::parsed::{Manifest, Spec};

/// Returns a digest for each resource: of its document, and of those that are resolved into it. Documents of other
/// resources, and the places of files, make no difference.
pub(in crate::core::manifest) fn versions(manifests: &[Manifest<'_>]) -> BTreeMap<(Kind, Name), String> {
    let mut own: BTreeMap<(Kind, &Name), Sha256> = BTreeMap::new();
    let mut defaults = Sha256::new();
    for manifest in manifests {
        let text = manifest.document.text();
        own.entry((manifest.kind, &manifest.name)).or_default().update(text);
        if manifest.kind == Kind::Defaults {
            defaults.update(text);
        }
    }
    let defaults = finish(defaults);
    let own: BTreeMap<(Kind, &Name), String> = own.into_iter().map(|(key, hash)| (key, finish(hash))).collect();
    let mut versions: BTreeMap<(Kind, Name), String> = BTreeMap::new();
    for manifest in manifests {
        let name = &manifest.name;
        let digest = own[&(manifest.kind, name)].clone();
        let Kind::Campaign = manifest.kind else {
            versions.insert((manifest.kind, name.clone()), digest);
            continue;
        };
        let mut hash = Sha256::new();
        hash.update(&digest);
        hash.update(&defaults);
        if let Some(Spec::Campaign(spec)) = &manifest.spec {
            let filter = spec.filter_ref.as_ref().map(|filter| (Kind::Filter, filter));
            let schedule = spec.schedule_ref.as_ref().map(|schedule| (Kind::Schedule, schedule));
            for part in [filter, schedule].into_iter().flatten() {
                hash.update(own.get(&part).map_or("", String::as_str));
            }
        }
        let digest = finish(hash);
        // A campaign without a sequence has one of its own name, made from its days.
        versions.entry((Kind::Sequence, name.clone())).or_insert_with(|| digest.clone());
        versions.insert((Kind::Campaign, name.clone()), digest);
    }
    versions.extend(Name::parse("defaults").map(|name| ((Kind::Defaults, name), defaults)));
    versions
}

fn finish(hash: Sha256) -> String {
    hex(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::core::manifest::{Kind, SourceFile, Sources, check};

    const TREE: &str = "apiVersion: relance/v1
kind: Defaults
metadata: {name: all}
spec: {limits: {messagesPerDay: 5}}
---
apiVersion: relance/v1
kind: Schedule
metadata: {name: evenings}
spec: {every: 24h}
---
apiVersion: relance/v1
kind: Campaign
metadata: {name: a}
spec: {type: filtered, scheduleRef: evenings, days: [{day: 1, text: {fr: a}}]}
---
apiVersion: relance/v1
kind: Campaign
metadata: {name: b}
spec: {type: filtered, days: [{day: 1, text: {fr: b}}]}
";

    /// Returns the resources whose version differs between two trees.
    fn changed(before: &str, after: &str) -> Vec<String> {
        let versions = |text: &str| {
            let files = vec![SourceFile { path: "tree.yaml".to_owned(), bytes: text.as_bytes().to_vec() }];
            check(&Sources::from(files)).versions
        };
        let (before, after) = (versions(before), versions(after));
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let changed = keys.into_iter().filter(|key| before.get(key) != after.get(key));
        // The sequence of a campaign's own days changes with it.
        changed.filter(|(kind, _)| *kind != Kind::Sequence).map(|(kind, name)| format!("{kind}/{name}")).collect()
    }

    #[test]
    fn a_manifest_digest_changes_with_everything_it_resolves() {
        let edited = |from, to| changed(TREE, &TREE.replace(from, to));
        assert_eq!(edited("fr: b", "fr: c"), ["Campaign/b"]);
        assert_eq!(edited("every: 24h", "every: 48h"), ["Campaign/a", "Schedule/evenings"]);
        assert_eq!(edited("messagesPerDay: 5", "messagesPerDay: 6").len(), 4);
        let mut moved: Vec<&str> = TREE.split("---\n").collect();
        moved.reverse();
        assert_eq!(changed(TREE, &moved.join("---\n")), [] as [&str; 0]);
    }
}
