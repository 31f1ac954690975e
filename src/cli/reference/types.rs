//! Type names for JSON Schema types, in words that an author of manifests understands.

use serde_json::Value;

use super::{head, row};

/// Text formats: the name in the schema, the name in the tables, and the explanation.
const FORMATS: [(&str, &str, &str); 12] = [
    (
        "relance-name",
        "name",
        "An RFC 1123 label: 1 to 63 lower-case letters, digits and hyphens, as in `welcome-7-days`.",
    ),
    ("relance-duration", "duration", "A whole number and a unit: `90s`, `2m`, `24h`, `7d`."),
    (
        "relance-time",
        "time",
        "RFC 3339 (`2026-12-01T08:00:00+01:00`), or a local time without an offset (`2026-12-01T08:00`).",
    ),
    ("relance-instant", "instant", "RFC 3339 with an offset: `2026-12-01T08:00:00+01:00`."),
    ("date", "date", "Year, month, day: `2026-12-25`."),
    ("relance-clock", "time of day", "Hours and minutes, `00:00` to `24:00`, in quotes."),
    ("relance-timezone", "time zone", "A name of the IANA database, as in `Africa/Douala`."),
    ("relance-country", "country", "ISO 3166-1 alpha-2: `CM`."),
    ("relance-language", "language", "BCP 47: `fr`, `pt-BR`."),
    ("relance-template-name", "template name", "Lower-case letters, digits and `_`, as at WhatsApp: `welcome_day_1`."),
    ("relance-url", "URL", "An address that begins with `https://`, or `http://` where the field allows it."),
    ("relance-outcome", "outcome", "The result of a simulated hand-over, as in `timeout` or `rejected:131026`."),
];
const SECRET: &str = "secret";

/// Renders the table that explains the names.
pub(super) fn table() -> String {
    let mut text = head(&["Type", "Form"]);
    for (_, name, form) in FORMATS {
        text += &row(&[name, form]);
    }
    text + &row(&[
        SECRET,
        "The place of a secret: `{fromEnv: NAME}` or `{fromFile: PATH}`. A literal value is an error.",
    ])
}

/// Returns the name of a field's type.
pub(super) fn name(field: &Value) -> String {
    if let Some(words) = words(field) {
        return words.join(", ");
    }
    if is_secret(field) {
        return SECRET.to_owned();
    }
    let types: Vec<&str> = match &field["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let names: Vec<String> = types.iter().map(|one| of(one, branch(field, one))).collect();
    if names.is_empty() { "any".to_owned() } else { names.join(" or ") }
}

/// Returns the part of the schema that applies to values of type `of`, when the schema decides by type.
fn branch<'a>(field: &'a Value, of: &str) -> &'a Value {
    match field["if"]["type"].as_str() {
        None => field,
        Some(first) => field.get(if first == of { "then" } else { "else" }).unwrap_or(&Value::Null),
    }
}

fn of(kind: &str, schema: &Value) -> String {
    match kind {
        "string" => match words(schema) {
            Some(words) => words.join(", "),
            None => format(schema),
        },
        "integer" => whole_number(schema),
        "array" => format!("list of {}", name(&schema["items"])),
        "object" if is_secret(schema) => SECRET.to_owned(),
        "object" => match schema.get("additionalProperties").filter(|values| values.is_object()) {
            Some(values) => format!("map to {}", name(values)),
            None => "object".to_owned(),
        },
        other => other.to_owned(),
    }
}

fn format(schema: &Value) -> String {
    let Some(format) = schema["format"].as_str() else { return "text".to_owned() };
    let known = FORMATS.iter().find(|(name, ..)| *name == format);
    known.map_or(format, |(_, name, _)| name).to_owned()
}

/// Returns the words of an enumeration.
fn words(schema: &Value) -> Option<Vec<String>> {
    let literal = |value: &Value| value.as_str().map_or_else(|| value.to_string(), |word| format!("`{word}`"));
    if let Some(values) = schema["enum"].as_array() {
        return Some(values.iter().map(literal).collect());
    }
    if let Some(value) = schema.get("const") {
        return Some(vec![literal(value)]);
    }
    let one_of = schema["oneOf"].as_array()?;
    let all: Option<Vec<Vec<String>>> = one_of.iter().map(words).collect();
    Some(all?.concat())
}

fn whole_number(schema: &Value) -> String {
    // The limits of machine integers mean nothing to an author.
    let bound = |key: &str| schema[key].as_i64().filter(|bound| bound.unsigned_abs() < 2_147_483_647);
    match (bound("minimum"), bound("maximum")) {
        (Some(low), Some(high)) => format!("whole number, {low} to {high}"),
        (Some(low), None) => format!("whole number from {low}"),
        (None, Some(high)) => format!("whole number up to {high}"),
        (None, None) => "whole number".to_owned(),
    }
}

fn is_secret(schema: &Value) -> bool {
    let properties = schema["properties"].as_object();
    properties.is_some_and(|properties| {
        properties.len() == 2 && ["fromEnv", "fromFile"].iter().all(|key| properties.contains_key(*key))
    })
}

/// Returns the object inside a field that needs its own table, and the suffix of its path.
pub(super) fn inner(field: &Value) -> Option<(String, &Value)> {
    if is_secret(field) {
        return None;
    }
    if field["properties"].is_object() {
        return Some((String::new(), field));
    }
    let below = |key: &str, suffix: &str| {
        let (more, object) = inner(field.get(key)?)?;
        Some((format!("{suffix}{more}"), object))
    };
    below("items", "[]")
        .or_else(|| below("additionalProperties", ".KEY"))
        .or_else(|| below("then", ""))
        .or_else(|| below("else", ""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{inner, name};

    #[test]
    fn types_have_names_that_authors_understand() {
        let secret = json!({"type": "object", "properties": {"fromEnv": {}, "fromFile": {}}});
        let either = json!({"type": ["string", "object"], "if": {"type": "object"}, "then": secret});
        let accounts = json!({"type": ["string", "object"], "if": {"type": "string"}, "then": {"enum": ["all"]},
                              "else": {"type": "object", "properties": {"names": {}}}});
        for (schema, expected) in [
            (json!({"type": "string", "format": "relance-duration"}), "duration"),
            (json!({"type": "array", "items": {"type": "string"}}), "list of text"),
            (json!({"oneOf": [{"enum": ["a"]}, {"const": "b"}]}), "`a`, `b`"),
            (json!({"type": "integer", "minimum": 1, "maximum": 4_294_967_295_u32}), "whole number from 1"),
            (json!({"type": "object", "additionalProperties": {"type": "string"}}), "map to text"),
            (json!({"type": "object", "properties": {"fromEnv": {}, "fromFile": {}}}), "secret"),
            (either.clone(), "text or secret"),
            (accounts.clone(), "`all` or object"),
        ] {
            assert_eq!(name(&schema), expected);
        }
        assert_eq!(inner(&either), None);
        assert_eq!(inner(&accounts).unwrap().1, &accounts["else"]);
    }
}
