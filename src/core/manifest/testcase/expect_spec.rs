//! The schema of `expect` in a test.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::values::{Instant, kinds};
use super::words;
use crate::core::domain::{Language, Name};
use crate::core::manifest::kind::Kind;

/// The conditions that must hold now. A key takes a list of rows, each of which must match at least one actual row.
/// With `{only: […]}`, the rows must match all actual rows, in any order. With `{count: n, …}`, exactly n rows match.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct ExpectSpec {
    /// The expected messages.
    pub(super) messages: Option<RowsSpec<MessageSpec>>,
    /// The expected people in runs.
    pub(super) targets: Option<RowsSpec<TargetSpec>>,
    /// The expected runs.
    pub(super) runs: Option<RowsSpec<RunSpec>>,
    pub(super) plan: Option<PlanSpec>,
}

/// The result of the last `edit` or `remove`; before any of them, the result of the first apply.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct PlanSpec {
    /// The expected changes.
    pub(super) changes: Option<RowsSpec<ChangeSpec>>,
    /// The number of changes.
    pub(super) count: Option<u64>,
    /// A part of the sentence with which the plan was refused.
    pub(super) refused: Option<String>,
    /// `true` if the files had errors, so that the previous state stays in force.
    pub(super) broken: Option<bool>,
}

/// A message. A key left out is not compared.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MessageSpec {
    /// The id of the referral.
    #[serde(skip_serializing_if = "Option::is_none")]
    referral: Option<String>,
    /// The id of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Name>,
    /// The day of the sequence.
    #[schemars(range(min = 1, max = 366))]
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<u16>,
    /// The state of the message.
    #[schemars(schema_with = "words::message_state")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// The language of the text, or of the WhatsApp template that goes instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    /// The complete text. A WhatsApp template that goes instead is written with its values: `day_one (fr): Paul`.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// A part of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_contains: Option<String>,
    /// The number of sends started.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u16>,
}

/// A person in a run. A key left out is not compared.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TargetSpec {
    /// The id of the referral.
    #[serde(skip_serializing_if = "Option::is_none")]
    referral: Option<String>,
    /// The id of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Name>,
    /// The state of the person in the run.
    #[schemars(schema_with = "words::target_state")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// The reason why the person left the run.
    #[schemars(schema_with = "words::exit_reason")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The day that is sent next, or the last one sent.
    #[schemars(range(min = 1, max = 366))]
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<u16>,
    /// The reason why a message that is due is not sent.
    #[schemars(schema_with = "words::hold")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<String>,
    /// The time at which the next message is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Instant>,
}

/// A run: one campaign for one account. A key left out is not compared.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RunSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Name>,
    /// The id of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// The phase of the run.
    #[schemars(schema_with = "words::phase")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
    /// The reason for the phase.
    #[schemars(schema_with = "words::run_reason")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// A part of the sentence that explains the phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_contains: Option<String>,
    /// The number of people ever enrolled.
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled: Option<u64>,
    /// The number of people who are active.
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<u64>,
    /// The number of people who completed the sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<u64>,
    /// The number of people who left before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    exited: Option<u64>,
    /// The number of messages that were certainly sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
}

/// A change of the plan. A key left out is not compared.
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
    /// The number of people that it enrolls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    enroll: Option<u64>,
    /// The number of people that it removes from their runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<u64>,
    /// The number of accounts that it affects.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<u64>,
}

/// The expected rows of one table, as written.
#[derive(Debug, Clone)]
pub(super) enum RowsSpec<T> {
    Each(Vec<T>),
    Only(Vec<T>),
    Count(u64, T),
    /// A mapping with neither form; holds its keys.
    Unclear(Vec<String>),
}

impl<T> RowsSpec<T> {
    /// Returns every row with its pointer below the rows.
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
