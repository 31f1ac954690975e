//! Manifests as written, held in memory for edits.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::sources::{SourceFile, Sources};
use crate::core::manifest::syntax::written::Written;
use crate::core::manifest::syntax::yaml;

/// A tree of manifests that can be edited; it holds no tests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    manifests: BTreeMap<(Kind, Name), Value>,
}

impl Draft {
    /// Collects every manifest of `sources` that has a kind and a name.
    pub fn of(sources: &Sources) -> Self {
        let mut draft = Self::default();
        for source in &sources.files {
            for written in manifests(source).iter().filter_map(Written::of) {
                draft.put(written);
            }
        }
        draft
    }

    /// Adds a manifest, or replaces the one with the same kind and name.
    pub fn put(&mut self, Written { kind, name, value }: Written) {
        if kind != Kind::CampaignTest {
            self.manifests.insert((kind, name), value);
        }
    }

    /// Applies a JSON merge patch (RFC 7386), which may rename the manifest. Returns true if the manifest existed.
    pub fn patch(&mut self, kind: Kind, name: &Name, patch: &Value) -> bool {
        let Some(mut value) = self.manifests.remove(&(kind, name.clone())) else { return false };
        merge(&mut value, patch);
        // A value that is no manifest any more keeps its key, so that the check reports it.
        let key = Written::of(&value).map_or_else(|| (kind, name.clone()), |written| (written.kind, written.name));
        self.manifests.insert(key, value);
        true
    }

    /// Removes a manifest. Returns true if it existed.
    pub fn remove(&mut self, kind: Kind, name: &Name) -> bool {
        self.manifests.remove(&(kind, name.clone())).is_some()
    }

    /// Returns the tree as files of JSON, which is YAML, one per manifest.
    pub fn sources(&self) -> Sources {
        let file = |((kind, name), value): (&(Kind, Name), &Value)| SourceFile {
            path: format!("{kind}/{name}"),
            bytes: format!("{value:#}").into_bytes(),
        };
        self.manifests.iter().map(file).collect::<Vec<_>>().into()
    }
}

/// Returns `sources` with the manifests of `file`, each replacing the one with the same kind and name.
pub fn overlay(sources: &Sources, file: SourceFile) -> Sources {
    let is_of = |value: &Value, all: &[Written]| {
        Written::of(value).is_some_and(|own| all.iter().any(|it| (it.kind, &it.name) == (own.kind, &own.name)))
    };
    let replacing: Vec<Written> = manifests(&file).iter().filter_map(Written::of).collect();
    let mut files = Vec::with_capacity(sources.files.len() + 1);
    for source in &sources.files {
        let mut values = manifests(source);
        if !values.iter().any(|value| is_of(value, &replacing)) {
            files.push(source.clone());
            continue;
        }
        values.retain(|value| !is_of(value, &replacing));
        let documents: Vec<String> = values.iter().map(|value| format!("{value:#}")).collect();
        files.push(SourceFile { path: source.path.clone(), bytes: documents.join("\n---\n").into_bytes() });
    }
    files.retain(|other| !other.bytes.is_empty());
    files.push(file);
    Sources { files, unread: sources.unread.clone() }
}

/// Returns the names of the readable campaigns in a file.
pub fn campaigns(source: &SourceFile) -> Vec<Name> {
    let written = manifests(source).iter().filter_map(Written::of).collect::<Vec<_>>();
    written.into_iter().filter(|written| written.kind == Kind::Campaign).map(|written| written.name).collect()
}

/// Returns the kinds of the readable manifests in a file.
pub fn kinds(source: &SourceFile) -> Vec<Kind> {
    let kind = |value: Value| Kind::parse(value.get("kind")?.as_str()?);
    manifests(source).into_iter().filter_map(kind).collect()
}

/// Returns the readable documents of a file.
fn manifests(source: &SourceFile) -> Vec<Value> {
    let Ok(text) = std::str::from_utf8(&source.bytes) else { return Vec::new() };
    let parse = |range| yaml::parse(text, range).unwrap_or_default();
    yaml::documents(text).into_iter().flat_map(parse).map(|root| root.to_json()).collect()
}

/// Applies a merge patch: mappings are merged, `null` removes a key, every other value replaces.
fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(map) = value else { return };
    for (key, change) in changes {
        if change.is_null() {
            map.shift_remove(key);
        } else {
            merge(map.entry(key).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Draft, Written, campaigns, merge, overlay};
    use crate::core::domain::Name;
    use crate::core::manifest::{Kind, SourceFile, Sources, check};

    #[test]
    fn merge_patches_follow_the_examples_of_the_rfc() {
        for (mut value, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            merge(&mut value, &patch);
            assert_eq!(value, result, "{patch}");
        }
    }

    const TREE: &str = "apiVersion: relance/v1\nkind: Campaign\nmetadata: {name: a}\nspec:\n  type: filtered\n  days:\n  \
        - day: 1\n    text:\n      fr: |-\n        Ça va, « {{ name }} » ?\u{a0}🙂\n\n        \\ \"STOP\" \u{2028}\u{85}\n---\n\
        apiVersion: relance/v1\nkind: CampaignTest\nmetadata: {name: t}\nspec: {clock: 2026-12-01T08:00:00Z, steps: [\
        {expect: {runs: {count: 0}}}]}\n---\n# nothing\n---\n\
        apiVersion: relance/v1\nkind: Filter\nmetadata: {name: a}\nspec: {professions: [007, 'no', \"1e3\"]}\n";

    fn tree() -> Sources {
        Sources::from(vec![SourceFile { path: "a.yaml".to_owned(), bytes: TREE.as_bytes().to_vec() }])
    }

    #[test]
    fn a_rewritten_tree_resolves_to_the_same_state() {
        let (before, after) = (check(&tree()), check(&Draft::of(&tree()).sources()));
        assert_eq!((&before.diagnostics, &after.diagnostics), (&vec![], &vec![]));
        assert_eq!(before.desired, after.desired);
        assert_eq!((before.tests.len(), after.tests.len()), (1, 0));
    }

    #[test]
    fn an_overlay_file_adds_or_replaces_manifests() {
        let file = |text: &str| SourceFile { path: "b.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
        let names =
            |sources: &Sources| Draft::of(sources).sources().files.into_iter().map(|f| f.path).collect::<Vec<_>>();
        let added = overlay(&tree(), file("kind: Filter\nmetadata: {name: z}\n"));
        assert_eq!(added.files[0], tree().files[0]);
        assert_eq!(names(&added), ["Campaign/a", "Filter/a", "Filter/z"]);

        let other = "apiVersion: relance/v1\nkind: Filter\nmetadata: {name: a}\nspec: {countries: [CM]}\n";
        let replaced = overlay(&tree(), file(other));
        assert_eq!(names(&replaced), ["Campaign/a", "Filter/a"]);
        assert_eq!(replaced.files.last().unwrap().bytes, other.as_bytes());
        let (before, after) = (check(&tree()), check(&replaced));
        assert_eq!((after.diagnostics, after.tests.len()), (vec![], 1));
        assert_eq!(before.desired.sequences, after.desired.sequences);
        assert_eq!(overlay(&replaced, file(other)), replaced);
        assert_eq!(campaigns(&tree().files[0]), [Name::parse("a").unwrap()]);
    }

    #[test]
    fn a_draft_adds_renames_and_removes_manifests() {
        let name = |name: &str| Name::parse(name).unwrap();
        let names = |draft: &Draft| draft.sources().files.into_iter().map(|file| file.path).collect::<Vec<_>>();
        let mut draft = Draft::of(&tree());
        assert!(draft.patch(Kind::Campaign, &name("a"), &json!({"metadata": {"name": "b"}})));
        assert!(!draft.patch(Kind::Campaign, &name("a"), &json!({})));
        draft.put(Written::of(&json!({"kind": "Filter", "metadata": {"name": "z"}})).unwrap());
        assert_eq!(names(&draft), ["Campaign/b", "Filter/a", "Filter/z"]);
        assert!(draft.remove(Kind::Filter, &name("z")) && !draft.remove(Kind::Filter, &name("z")));
        assert!(draft.patch(Kind::Campaign, &name("b"), &json!({"kind": 5})));
        assert_eq!(names(&draft), ["Campaign/b", "Filter/a"]);
        assert!(check(&draft.sources()).has_errors());
    }
}
