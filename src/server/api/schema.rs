//! JSON Schemas of what the API takes and returns, for its description.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use utoipa::openapi::path::Parameter;

/// The place of named schemas in the description.
const PLACE: &str = "/components/schemas";

/// Makes schemas of data that the API returns.
pub(super) fn returned() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.definitions_path = PLACE.into()).into()
}

/// Makes schemas of data that the API takes.
pub(super) fn taken() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_deserialize().with(|settings| settings.definitions_path = PLACE.into()).into()
}

/// Returns the query parameters that `T` is read from.
pub(super) fn parameters<T: JsonSchema>() -> Vec<Parameter> {
    let schema = T::json_schema(&mut taken()).to_value();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let parameter = json!({"name": name, "in": "query", "required": false, "description": description,
                               "schema": present(schema)});
        serde_json::from_value(parameter).expect("a query parameter is described by plain keywords")
    };
    properties.into_iter().map(parameter).collect()
}

/// Returns the schema of a value that is there: a parameter is never null.
pub(super) fn present(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    // A parameter is not part of an answer anyway.
    schema.remove("writeOnly");
    if let Some(Value::Array(all)) = schema.remove("anyOf") {
        let other = all.into_iter().find(|one| one["type"] != "null");
        return other.unwrap_or(Value::Object(Map::new()));
    }
    if let Some(Value::Array(types)) = schema.get("type") {
        let kind = types.iter().find(|kind| **kind != "null").cloned();
        schema.extend(kind.map(|kind| ("type".to_owned(), kind)));
    }
    Value::Object(schema)
}
