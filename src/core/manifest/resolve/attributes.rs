//! Filters and selectors on extra columns of imports, compared with the columns that imports had.

use std::collections::BTreeSet;

use super::read::read;
use crate::core::diagnostic::{Code, Diagnostic, nearest, sort};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::document::{File, join};
use crate::core::manifest::syntax::expansion::Expansion;
use crate::core::manifest::syntax::sources::Sources;
use crate::core::manifest::syntax::yaml::Node;

/// The most columns that a help lists.
const LISTED: usize = 10;

/// The extra columns that imports had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    pub accounts: BTreeSet<String>,
    pub referrals: BTreeSet<String>,
}

/// Returns a warning for each column that a filter or a selector names and no import had.
pub fn unknown_columns(sources: &Sources, known: &Attributes) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let files: Vec<File<'_>> = sources.files.iter().map(File::new).collect();
    let expansion = Expansion::default();
    for file in &files {
        for manifest in read(file, &expansion).manifests {
            let places: &[(&str, &BTreeSet<String>, &str)] = match manifest.kind {
                Kind::Campaign => &[
                    ("/spec/filter/attributes", &known.referrals, "referrals"),
                    ("/spec/accounts/matchLabels", &known.accounts, "accounts"),
                ],
                Kind::Filter => &[("/spec/attributes", &known.referrals, "referrals")],
                Kind::Account => &[("/spec/accounts/matchLabels", &known.accounts, "accounts")],
                Kind::Schedule
                | Kind::Sequence
                | Kind::Defaults
                | Kind::Channel
                | Kind::Queue
                | Kind::Notifier
                | Kind::CampaignTest => &[],
            };
            for (at, known, facts) in places {
                let keys = manifest.document.node(at).map(Node::entries).unwrap_or_default();
                for (key, _) in keys.iter().filter(|(key, _)| !known.contains(&key.name)) {
                    let place = manifest.document.key_place(&join(at, &key.name));
                    let message = format!("no import of {facts} ever had a column `{}`: nobody matches", key.name);
                    found.push(Diagnostic::new(Code::UnknownColumn, place, message).help(help(&key.name, known)));
                }
            }
        }
    }
    sort(&mut found);
    found
}

fn help(name: &str, known: &BTreeSet<String>) -> String {
    if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
        return format!("did you mean `{near}`? Columns are compared exactly");
    }
    let all: Vec<&str> = known.iter().take(LISTED).map(String::as_str).collect();
    match all.as_slice() {
        [] => "imports had no extra column".to_owned(),
        all => format!("imports had `{}`{}", all.join("`, `"), if known.len() > LISTED { " and others" } else { "" }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Attributes, Sources, unknown_columns};
    use crate::core::manifest::SourceFile;

    #[test]
    fn a_column_that_no_import_had_is_told_with_the_nearest_one() {
        let text = "apiVersion: relance/v1
kind: Filter
metadata: {name: f}
spec: {attributes: {citty: Douala, shop: big, Zone: a}}
---
apiVersion: relance/v1
kind: Campaign
metadata: {name: c}
spec: {type: filtered, accounts: {matchLabels: {tir: gold}}, filter: {attributes: {city: Lagos}}}
";
        let sources = Sources::from(vec![SourceFile { path: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec() }]);
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let known = Attributes { accounts: set(&["tier"]), referrals: set(&["city", "shop", "zone"]) };
        let found = unknown_columns(&sources, &known);
        let shown: Vec<String> =
            found.iter().map(|it| format!("{} {}", it.place.start.line, it.help.as_deref().unwrap())).collect();
        let expected = [
            "4 did you mean `city`? Columns are compared exactly",
            "4 did you mean `zone`? Columns are compared exactly",
            "9 did you mean `tier`? Columns are compared exactly",
        ];
        assert_eq!(shown, expected);
        let found = unknown_columns(&sources, &Attributes::default());
        assert_eq!((found.len(), found[0].help.as_deref()), (5, Some("imports had no extra column")));
    }
}
