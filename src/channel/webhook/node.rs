//! Looking into JSON of which nothing is certain: what is missing, or of another kind than expected, is not there.

use chrono::DateTime;
use serde_json::Value;

use crate::core::domain::Timestamp;

/// Longer than any name that providers give to anything.
const LONGEST_ID: usize = 512;
/// Longer than what anybody reads.
const LONGEST_TEXT: usize = 5_000;

/// A place in JSON, perhaps an empty one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a>(Option<&'a Value>);

impl<'a> Node<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        Self(Some(value))
    }

    pub(super) fn get(self, key: &str) -> Self {
        Self(self.0.and_then(|value| value.get(key)))
    }

    pub(super) fn list(self, key: &str) -> impl Iterator<Item = Self> + use<'a> {
        self.get(key).0.and_then(Value::as_array).into_iter().flatten().map(Self::of)
    }

    /// The text below `key`, without what no database keeps; nothing when it is empty.
    pub(super) fn text(self, key: &str) -> Option<String> {
        let text = match self.get(key).0? {
            Value::String(text) => text.replace('\0', ""),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let cut = text.char_indices().nth(LONGEST_TEXT).map_or(text.len(), |(at, _)| at);
        Some(text[..cut].to_owned()).filter(|text| !text.is_empty())
    }

    /// As [`Node::text`], for what something is called: whatever is too long for that is not.
    pub(super) fn id(self, key: &str) -> Option<String> {
        self.text(key).filter(|id| id.len() <= LONGEST_ID)
    }

    pub(super) fn number(self, key: &str) -> Option<i64> {
        match self.get(key).0? {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_i64(),
        }
    }

    /// Seconds since 1970, as a number or in a text.
    pub(super) fn instant(self, key: &str) -> Option<Timestamp> {
        DateTime::from_timestamp(self.number(key)?, 0)
    }
}

/// Of a number however it is written.
pub(super) fn digits(shown: &str) -> String {
    shown.chars().filter(char::is_ascii_digit).collect()
}
