//! The JSON Schema of each kind, generated from its types, for editors and for the first check of a manifest.

pub(super) mod formats;
pub(super) mod shape;

use std::sync::LazyLock;

use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use self::formats::FORMATS;
use super::kind::Kind;
use super::kinds::account::AccountSpec;
use super::kinds::campaign::CampaignSpec;
use super::kinds::channel::ChannelSpec;
use super::kinds::defaults::DefaultsSpec;
use super::kinds::filter::FilterSpec;
use super::kinds::notifier::NotifierSpec;
use super::kinds::queue::QueueSpec;
use super::kinds::schedule::ScheduleSpec;
use super::kinds::sequence::SequenceSpec;
use super::syntax::header::API_VERSION;
use super::testcase::CampaignTestSpec;

/// Returns the schema of a kind, as committed in `schemas/`.
pub fn schema(kind: Kind) -> Value {
    let spec = match kind {
        Kind::Campaign => spec::<CampaignSpec>(),
        Kind::Filter => spec::<FilterSpec>(),
        Kind::Schedule => spec::<ScheduleSpec>(),
        Kind::Sequence => spec::<SequenceSpec>(),
        Kind::Defaults => spec::<DefaultsSpec>(),
        Kind::Channel => spec::<ChannelSpec>(),
        Kind::Queue => spec::<QueueSpec>(),
        Kind::Account => spec::<AccountSpec>(),
        Kind::Notifier => spec::<NotifierSpec>(),
        Kind::CampaignTest => spec::<CampaignTestSpec>(),
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("relance {kind}"),
        "description": spec.get("description").cloned().unwrap_or_default(),
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind.as_str()},
            "metadata": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": false,
                "properties": {
                    "name": plain::<crate::core::domain::Name>(),
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
            "spec": spec,
        },
    })
}

/// Returns the file name of a kind's schema: `campaign.schema.json`.
pub fn schema_file_name(kind: Kind) -> String {
    format!("{}.schema.json", kind.as_str().to_lowercase())
}

/// A schema and the validator built from it.
pub(super) struct Checker {
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

/// Returns the checker of a kind, built at its first use.
pub(super) fn checker(kind: Kind) -> &'static Checker {
    static CHECKERS: [LazyLock<Checker>; Kind::ALL.len()] = [
        LazyLock::new(|| build(Kind::Campaign)),
        LazyLock::new(|| build(Kind::Filter)),
        LazyLock::new(|| build(Kind::Schedule)),
        LazyLock::new(|| build(Kind::Sequence)),
        LazyLock::new(|| build(Kind::Defaults)),
        LazyLock::new(|| build(Kind::Channel)),
        LazyLock::new(|| build(Kind::Queue)),
        LazyLock::new(|| build(Kind::Account)),
        LazyLock::new(|| build(Kind::Notifier)),
        LazyLock::new(|| build(Kind::CampaignTest)),
    ];
    &CHECKERS[kind as usize]
}

fn build(kind: Kind) -> Checker {
    let schema = schema(kind);
    let mut options = jsonschema::options().should_validate_formats(true);
    for format in &FORMATS {
        options = options.with_format(format.name, |text: &str| (format.parse)(text).is_ok());
    }
    // Patterns are for editors only: the custom formats are stricter and give better errors.
    let mut lean = schema.clone();
    drop_patterns(&mut lean);
    let validator = options.build(&lean).expect("the schema of our own types is valid");
    Checker { schema, validator }
}

fn spec<T: JsonSchema>() -> Value {
    let mut schema = plain::<T>();
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        object.remove("title");
    }
    schema
}

fn plain<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    refuse_null(&mut schema);
    schema.to_value()
}

fn refuse_null(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        tidy(object);
    }
}

/// Removes `null` from optional keys: a key may be left out, but an empty value is usually a mistake.
fn tidy(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(any)) = object.get_mut("anyOf") {
        any.retain(|one| one.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = any.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
    // Formats like `uint32` are unknown to other tools; the ranges express them.
    if object.get("type").is_some_and(|name| name == "integer") {
        object.remove("format");
    }
    if object.get("default").is_some_and(|value| value.is_null() || value == &json!({})) {
        object.remove("default");
    }
    // Line breaks of the source code mean nothing to readers of the schema.
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    for value in object.values_mut() {
        match value {
            Value::Object(inner) => tidy(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(tidy),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn drop_patterns(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("type").is_some_and(|name| name == "string") {
                object.remove("pattern");
            }
            object.values_mut().for_each(drop_patterns);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_patterns),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, checker};

    #[test]
    fn each_kind_has_its_own_checker() {
        for kind in Kind::ALL {
            assert_eq!(checker(kind).schema["properties"]["kind"]["const"], kind.as_str());
        }
    }
}
