//! Manifests and parts of manifests in pages.

use relance::core::diagnostic::text;
use relance::core::manifest::{SourceFile, Sources, check, overlay};
use relance::source;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::page::{Block, Check, root};

/// The sample tree without its tests.
fn tree() -> Sources {
    let tree = source::load(&[root().join("campaigns"), root().join("templates")]).unwrap();
    tree.files.into_iter().filter(|file| !file.path.contains("/tests/")).collect::<Vec<_>>().into()
}

fn documents(yaml: &str) -> Result<Vec<Value>, String> {
    let all = serde_yaml::Deserializer::from_str(yaml).map(Value::deserialize);
    all.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// Returns the fault in a block, if any.
pub(super) fn fault(block: &Block, how: &Check) -> Option<String> {
    match how {
        Check::Manifests { alone, expect, .. } => {
            let tree = if *alone { Sources::default() } else { tree() };
            findings(block, &block.text, &tree, expect.as_deref())
        }
        Check::Fragment { kind, path } => match placed(&block.text, kind, path) {
            Ok(manifest) => findings(block, &manifest, &tree(), None),
            Err(error) => Some(format!("{block}: {error}")),
        },
        Check::Workflow => documents(&block.text).err().map(|error| format!("{block}: {error}")),
        Check::Run { .. } | Check::Parse | Check::Output => None,
    }
}

fn findings(block: &Block, yaml: &str, tree: &Sources, expect: Option<&str>) -> Option<String> {
    let path = block.to_string();
    let sources = overlay(tree, SourceFile { path: path.clone(), bytes: yaml.as_bytes().to_vec() });
    let found = check(&sources).diagnostics;
    let codes: Vec<&str> = found.iter().map(|one| one.code.id()).collect();
    let expected: Vec<&str> = expect.into_iter().collect();
    let show = |one| text::render(one, |file| (file == path).then_some(yaml.as_bytes()), false);
    let shown: Vec<String> = found.iter().map(show).collect();
    (codes != expected).then(|| format!("{block}: expected {expected:?}, found {codes:?}\n{}", shown.join("\n")))
}

/// A manifest of the sample tree with `part` merged into it at `path`.
fn placed(part: &str, kind: &str, path: &[String]) -> Result<String, String> {
    let part: Map<String, Value> = serde_yaml::from_str(part).map_err(|error| error.to_string())?;
    let texts = tree().files.into_iter().map(|file| String::from_utf8(file.bytes).unwrap());
    let manifests: Vec<Value> = texts.map(|text| documents(&text)).collect::<Result<Vec<_>, _>>()?.concat();
    let found = manifests.into_iter().find(|manifest| manifest["kind"] == kind);
    let mut manifest = found.ok_or_else(|| format!("the sample tree has no `{kind}`"))?;
    let mut at = &mut manifest;
    for key in path {
        let object = at.as_object_mut().ok_or_else(|| format!("`{key}` is not in an object"))?;
        at = object.entry(key).or_insert_with(|| Value::Object(Map::new()));
    }
    at.as_object_mut().ok_or("the path ends at something else than an object")?.extend(part);
    Ok(format!("{manifest:#}"))
}

/// The command lines of a CI workflow.
pub(super) fn steps(block: &Block) -> Vec<String> {
    fn collect(value: &Value, lines: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                lines.extend(object.get("run").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| collect(value, lines));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, lines)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut lines = Vec::new();
    documents(&block.text).unwrap_or_default().iter().for_each(|document| collect(document, &mut lines));
    assert!(!lines.is_empty(), "{block} has no `run` line");
    lines
}
