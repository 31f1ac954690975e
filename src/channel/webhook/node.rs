//! Lenient access to untrusted JSON: a value that is missing or of an unexpected type is absent.

use chrono::DateTime;
use serde_json::Value;

use crate::core::domain::Timestamp;

/// The longest id, in bytes. Every id that providers assign is shorter.
const LONGEST_ID: usize = 512;
/// The longest text, in characters. A longer text is cut.
const LONGEST_TEXT: usize = 5_000;

/// A place in a JSON document, which may be empty.
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

    /// Returns the text or number below `key`, without NUL, which the database cannot store. An empty text is `None`.
    pub(super) fn text(self, key: &str) -> Option<String> {
        let text = match self.get(key).0? {
            Value::String(text) => text.replace('\0', ""),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let cut = text.char_indices().nth(LONGEST_TEXT).map_or(text.len(), |(at, _)| at);
        Some(text[..cut].to_owned()).filter(|text| !text.is_empty())
    }

    /// Returns the id below `key`, as [`Node::text`]; `None` if it is too long to be an id.
    pub(super) fn id(self, key: &str) -> Option<String> {
        self.text(key).filter(|id| id.len() <= LONGEST_ID)
    }

    pub(super) fn number(self, key: &str) -> Option<i64> {
        match self.get(key).0? {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_i64(),
        }
    }

    /// Returns the time below `key`, in seconds since 1970, which may be a number or a text.
    pub(super) fn instant(self, key: &str) -> Option<Timestamp> {
        DateTime::from_timestamp(self.number(key)?, 0)
    }
}

/// Returns the ASCII digits of a number in any notation.
pub(super) fn digits(shown: &str) -> String {
    shown.chars().filter(char::is_ascii_digit).collect()
}
