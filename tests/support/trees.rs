//! Manifests of a sequence and its campaigns, and files of any.

use relance::core::manifest::{SourceFile, Sources};

/// A tree with a sequence of so many days and campaigns of a name and a spec each.
pub(crate) fn tree(days: u16, defaults: &str, campaigns: &[(&str, &str)]) -> String {
    let mut tree = format!(
        "apiVersion: relance/v1
kind: Defaults
metadata: {{name: defaults}}
spec: {{{defaults}}}
---
apiVersion: relance/v1
kind: Sequence
metadata: {{name: days}}
spec:
  fallbackLanguage: fr
  days:
"
    );
    for day in 1..=days {
        tree += &format!("    - {{day: {day}, text: {{fr: 'Jour {day}. {{{{ optOutHint }}}}'}}}}\n");
    }
    for (name, spec) in campaigns {
        tree += &format!(
            "---
apiVersion: relance/v1
kind: Campaign
metadata: {{name: {name}}}
spec: {{type: filtered, sequenceRef: days, {spec}}}
"
        );
    }
    tree
}

/// Messages may leave as fast as quotas allow.
pub(crate) const NO_PACE: &str = "pacing: {every: 0s, jitter: 0s}";
/// All day and all night.
pub(crate) const ALWAYS: &str = "schedule: {firstAfter: 0s, windows: [{from: '00:00', to: '24:00'}]}";

/// A tree of these files, each with its path.
pub(crate) fn sources(files: &[(&str, &[u8])]) -> Sources {
    let file = |(path, bytes): &(&str, &[u8])| SourceFile { path: (*path).to_owned(), bytes: bytes.to_vec() };
    files.iter().map(file).collect::<Vec<_>>().into()
}
