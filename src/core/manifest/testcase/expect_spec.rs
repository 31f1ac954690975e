//! What a test expects, as it is written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::values::{Instant, kinds};
use super::words;
use crate::core::domain::{Language, Name};
use crate::core::manifest::kind::Kind;

/// What must be so now. Each of its keys takes a list of rows, each of which at least one row must match;
/// `{only: […]}`: these rows and no others, in any order; or `{count: n, …}`: so many rows match.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct ExpectSpec {
    pub(super) messages: Option<RowsSpec<MessageSpec>>,
    pub(super) targets: Option<RowsSpec<TargetSpec>>,
    pub(super) runs: Option<RowsSpec<RunSpec>>,
    pub(super) plan: Option<PlanSpec>,
}

/// What the last `edit` or `remove` came to; before any, what the first apply did.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct PlanSpec {
    pub(super) changes: Option<RowsSpec<ChangeSpec>>,
    /// How many changes there are.
    pub(super) count: Option<u64>,
    /// The plan was refused with a sentence that contains this.
    pub(super) refused: Option<String>,
    /// The files had errors, so that what was in force stays.
    pub(super) broken: Option<bool>,
}

/// A message. What is left out does not matter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MessageSpec {
    /// The id of a referral.
    #[serde(skip_serializing_if = "Option::is_none")]
    referral: Option<String>,
    /// The id of an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Name>,
    #[schemars(range(min = 1, max = 366))]
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<u16>,
    #[schemars(schema_with = "words::message_state")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    /// The whole text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// A part of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_contains: Option<String>,
    /// Hand-overs begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u16>,
}

/// A person in a run. What is left out does not matter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TargetSpec {
    /// The id of a referral.
    #[serde(skip_serializing_if = "Option::is_none")]
    referral: Option<String>,
    /// The id of an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Name>,
    #[schemars(schema_with = "words::target_state")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// Why the person left.
    #[schemars(schema_with = "words::exit_reason")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The day that goes out next, or the last one that did.
    #[schemars(range(min = 1, max = 366))]
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<u16>,
    /// What the gate holds against writing to somebody who is due.
    #[schemars(schema_with = "words::hold")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<String>,
    /// When the next message is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Instant>,
}

/// One campaign for one account. What is left out does not matter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RunSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Name>,
    /// The id of an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[schemars(schema_with = "words::phase")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
    /// Why it is in its phase.
    #[schemars(schema_with = "words::run_reason")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// A part of the sentence that says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_contains: Option<String>,
    /// People ever taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exited: Option<u64>,
    /// Messages that certainly left.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
}

/// A change of the plan. What is left out does not matter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ChangeSpec {
    #[schemars(schema_with = "words::action")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[schemars(schema_with = "kinds")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Name>,
    /// People it enrolls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    enroll: Option<u64>,
    /// People who leave because of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<u64>,
    /// Accounts it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<u64>,
}

/// Rows as they are expected.
#[derive(Debug, Clone)]
pub(super) enum RowsSpec<T> {
    Each(Vec<T>),
    Only(Vec<T>),
    Count(u64, T),
    /// A mapping that is none of these; the keys it has.
    Unclear(Vec<String>),
}

impl<T> RowsSpec<T> {
    /// Every row with the pointer of its place below that of the rows.
    pub(super) fn rows(&self) -> Vec<(String, &T)> {
        let list = |at: &str, rows: &'_ [T]| -> Vec<String> { (0..rows.len()).map(|n| format!("{at}/{n}")).collect() };
        match self {
            Self::Each(rows) => list("", rows).into_iter().zip(rows).collect(),
            Self::Only(rows) => list("/only", rows).into_iter().zip(rows).collect(),
            Self::Count(_, row) => vec![(String::new(), row)],
            Self::Unclear(_) => Vec::new(),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for RowsSpec<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn typed<T: DeserializeOwned, E: serde::de::Error>(value: Value) -> Result<T, E> {
            T::deserialize(value).map_err(E::custom)
        }
        let mut map = match Value::deserialize(deserializer)? {
            Value::Object(map) => map,
            list => return typed(list).map(Self::Each),
        };
        let keys: Vec<String> = map.keys().cloned().collect();
        match (map.shift_remove("only"), map.shift_remove("count")) {
            (Some(rows), None) if map.is_empty() => typed(rows).map(Self::Only),
            (None, Some(count)) => {
                let count = count.as_u64().ok_or_else(|| D::Error::custom("`count` is no whole number"))?;
                Ok(Self::Count(count, typed(Value::Object(map))?))
            }
            _ => Ok(Self::Unclear(keys)),
        }
    }
}

impl<T: JsonSchema> JsonSchema for RowsSpec<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Rows_{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let row = generator.subschema_for::<T>().to_value();
        let mut one = row.clone();
        one["minProperties"] = json!(1);
        let mut counted = row;
        counted["properties"]["only"] =
            json!({"type": "array", "items": one, "description": "These rows and no others."});
        counted["properties"]["count"] = json!({"type": "integer", "minimum": 0, "description": "So many rows match."});
        json_schema!({
            "type": ["array", "object"],
            "if": {"type": "array"},
            "then": {"items": one, "minItems": 1},
            "else": counted,
        })
    }
}
