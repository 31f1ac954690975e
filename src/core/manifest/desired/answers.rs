//! The meaning of a gateway's answers: rules by status and body, and the values of success.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A rule for answers of a gateway. An answer must meet all conditions of the rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswerRule {
    /// The HTTP status; by default any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<u16>,
    /// A JSON pointer to a value of the answer, such as `/error/code`. Without `equals` and `contains`, the value must
    /// only exist.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The value at `match`, or a list of possible values. `21610` and `"21610"` are equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<Values>,
    /// A part of the value at `match`; without `match`, of the whole body. Upper and lower case are equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub contains: Option<String>,
    /// The meaning of such an answer. `sent`: the gateway accepted the message. `slow`: the account waits, as long as
    /// `Retry-After` says. `retry`: a fault that passes. `fail`: the day fails. `undeliverable`: the person leaves.
    /// `suppress`: the person wants no messages. `pauseAccount`: the account waits for `resume`. `pauseChannel`: the
    /// channel pauses for ten minutes, then longer.
    pub means: Meaning,
}

/// The meaning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Meaning {
    /// The gateway accepted the message.
    Sent,
    /// The sender is too fast: the account waits, as long as `Retry-After` says, and the attempt does not count.
    Slow,
    /// A fault that passes: the message is tried again, up to 3 times that day.
    Retry,
    /// The message is at fault: its day fails.
    Fail,
    /// The person cannot be reached by this channel and leaves.
    Undeliverable,
    /// The person wants no messages and is suppressed.
    Suppress,
    /// The account cannot send, such as without its session: it waits for `resume`.
    PauseAccount,
    /// Nobody can send, such as without credit: the channel pauses for ten minutes, then longer.
    PauseChannel,
}

/// The place in an answer that states success, and its values of success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Success {
    /// A JSON pointer, such as `/messages/0/status`.
    pub pointer: String,
    /// The values of success. Any other value means that the gateway did not accept the message.
    pub values: Values,
}

/// Values to compare with a part of an answer, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Values(Vec<String>);

impl Values {
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns true if the value is one of these.
    pub fn have(&self, value: &Value) -> bool {
        text(value).is_some_and(|text| self.0.iter().any(|one| *one == text))
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let all = match &value {
            Value::Array(all) => all.iter().map(|one| text(one).map(Cow::into_owned)).collect(),
            one => text(one).map(|text| vec![text.into_owned()]),
        };
        all.map(Self).ok_or_else(|| serde::de::Error::custom("a text, a number, `true` or `false` is expected"))
    }
}

impl JsonSchema for Values {
    fn schema_name() -> Cow<'static, str> {
        "Values".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number", "boolean", "array"],
            "items": {"type": ["string", "number", "boolean"]},
            "minItems": 1,
        })
    }
}

/// Returns a value of JSON as text; `None` for lists, mappings and null.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(is) => Some(Cow::Borrowed(if *is { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl AnswerRule {
    /// Returns true if an answer with this status and body meets the rule. `json` is the body, if it is JSON.
    pub fn applies(&self, status: u16, json: Option<&Value>, body: &str) -> bool {
        if self.status.is_some_and(|wanted| wanted != status) {
            return false;
        }
        let Some(pointer) = &self.pointer else {
            return self.contains.as_ref().is_none_or(|part| contains(body, part));
        };
        let Some(value) = json.and_then(|json| json.pointer(pointer)).filter(|value| !value.is_null()) else {
            return false;
        };
        let is_equal = self.equals.as_ref().is_none_or(|values| values.have(value));
        let has_part = self.contains.as_ref().is_none_or(|part| {
            let text = text(value).unwrap_or_else(|| Cow::Owned(value.to_string()));
            contains(&text, part)
        });
        is_equal && has_part
    }

    /// Returns true if every answer that meets `other` meets this rule too.
    pub fn covers(&self, other: &Self) -> bool {
        let covers_status = self.status.is_none() || self.status == other.status;
        let covers_body = match (&self.pointer, &other.pointer) {
            (None, None) => match (&self.contains, &other.contains) {
                (None, _) => true,
                (Some(part), Some(longer)) => contains(longer, part),
                (Some(_), None) => false,
            },
            // An answer with a value at the pointer of `other` may lack the text of this rule.
            (None, Some(_)) => self.contains.is_none(),
            (Some(_), None) => false,
            (Some(place), Some(other_place)) => place == other_place && self.covers_value(other),
        };
        covers_status && covers_body
    }

    /// Returns true if every value that meets `other` at the same place meets this rule too.
    fn covers_value(&self, other: &Self) -> bool {
        let all = |test: &dyn Fn(&str) -> bool| other.equals.as_ref().is_some_and(|values| values.texts().all(test));
        let equals = match &self.equals {
            None => true,
            Some(values) => all(&|value| values.texts().any(|one| one == value)),
        };
        let part = match (&self.contains, &other.contains) {
            (None, _) => true,
            (Some(part), Some(longer)) if contains(longer, part) => true,
            (Some(part), _) => all(&|value| contains(value, part)),
        };
        equals && part
    }
}

/// Returns true if `text` contains `part` in upper or lower case.
fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::AnswerRule;

    fn rule(conditions: serde_json::Value) -> AnswerRule {
        let mut rule = conditions;
        rule["means"] = json!("fail");
        serde_json::from_value(rule).unwrap()
    }

    #[test]
    fn answer_rules_match_by_status_value_and_text() {
        let body = json!({"code": 21610, "ok": false, "words": "The Instance does NOT exist", "none": null,
                          "list": [{"exists": false}], "id": "7"});
        let text = body.to_string();
        let applies = |conditions| rule(conditions).applies(400, Some(&body), &text);
        for conditions in [
            json!({}),
            json!({"status": 400}),
            json!({"match": "/code"}),
            json!({"match": "/code", "equals": 21610}),
            json!({"match": "/code", "equals": "21610"}),
            json!({"match": "/code", "equals": [1, 21610]}),
            json!({"match": "/id", "equals": 7}),
            json!({"match": "/list/0/exists", "equals": false}),
            json!({"match": "/words", "contains": "instance does not"}),
            json!({"match": "/list", "contains": "exists"}),
            json!({"contains": "DOES not exist"}),
        ] {
            assert!(applies(conditions.clone()), "{conditions}");
        }
        for conditions in [
            json!({"status": 401}),
            json!({"match": "/nothing"}),
            json!({"match": "/none"}),
            json!({"match": "/code", "equals": 2161}),
            json!({"match": "/code", "equals": 21610, "status": 200}),
            json!({"match": "/list", "equals": "exists"}),
            json!({"match": "/words", "equals": "instance"}),
            json!({"match": "/words", "contains": "logged out"}),
            json!({"contains": "logged out"}),
        ] {
            assert!(!applies(conditions.clone()), "{conditions}");
        }
        // A body that is no JSON has only its text.
        let plain = |conditions| rule(conditions).applies(200, None, "ERR 105: insufficient credit");
        assert!(plain(json!({"contains": "err 105"})) && !plain(json!({"match": "/err"})));
    }

    #[test]
    fn a_rule_that_covers_another_applies_whenever_the_other_does() {
        for (first, second, covers) in [
            (json!({"status": 400}), json!({"status": 400, "match": "/a"}), true),
            (json!({"status": 400}), json!({"match": "/a"}), false),
            (json!({"match": "/a"}), json!({"status": 400, "match": "/a", "equals": 1}), true),
            (json!({"match": "/a"}), json!({"match": "/b"}), false),
            (json!({"match": "/a", "equals": [1, 2]}), json!({"match": "/a", "equals": "2"}), true),
            (json!({"match": "/a", "equals": [1, 2]}), json!({"match": "/a", "equals": [2, 3]}), false),
            (json!({"match": "/a", "equals": 1}), json!({"match": "/a"}), false),
            (json!({"match": "/a", "contains": "x"}), json!({"match": "/a", "equals": "axb"}), true),
            (json!({"match": "/a", "contains": "x"}), json!({"match": "/a", "contains": "AXB"}), true),
            (json!({"match": "/a", "contains": "xy"}), json!({"match": "/a", "contains": "x"}), false),
            (json!({"contains": "x"}), json!({"contains": "xy"}), true),
            (json!({"contains": "x"}), json!({"match": "/a", "contains": "x"}), false),
            (json!({"match": "/a"}), json!({"contains": "x"}), false),
        ] {
            assert_eq!(rule(first.clone()).covers(&rule(second.clone())), covers, "{first} {second}");
        }
    }
}
