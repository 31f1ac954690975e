//! NDJSON files: one JSON object on each line.

use std::borrow::Cow;
use std::fmt;
use std::io;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::window::Window;
use crate::core::domain::visible;

/// The length limit of a line, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// The lines of a file that are not blank.
pub(super) struct Lines {
    window: Window,
}

/// One line. A line beyond the limit has only its number.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) number: u64,
    /// The length of the line in [`Lines::bytes`]; `None` if it is too long.
    pub(super) length: Option<usize>,
}

impl Lines {
    pub(super) fn new(window: Window) -> Self {
        Self { window }
    }

    /// Returns the next line that is not blank. This call consumes the line before it.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.window.skip_empty_lines()?;
            let bytes = self.window.bytes();
            let end = bytes.iter().position(|b| *b == b'\n');
            let number = self.window.line();
            match end {
                None if bytes.is_empty() => return Ok(None),
                None if !self.window.ended() && bytes.len() <= MAX_LINE => self.window.more()?,
                None if bytes.len() <= MAX_LINE => return Ok(Some(Line { number, length: Some(bytes.len()) })),
                Some(length) if length <= MAX_LINE => return Ok(Some(Line { number, length: Some(length) })),
                _ => {
                    self.window.skip_line()?;
                    return Ok(Some(Line { number, length: None }));
                }
            }
        }
    }

    pub(super) fn bytes(&self, length: usize) -> &[u8] {
        &self.window.bytes()[..length]
    }

    /// Moves past a line that [`Self::next`] returned.
    pub(super) fn done(&mut self, length: usize) {
        self.window.take(length, 0);
    }
}

/// The members of one object, in the order of the file.
#[derive(Debug)]
pub(super) struct Object<'a>(pub(super) Vec<(Cow<'a, str>, Value<'a>)>);

#[derive(Debug)]
pub(super) enum Value<'a> {
    Empty,
    Text(Cow<'a, str>),
    /// A number or a boolean, as written; a phone or a time is neither.
    Plain(String),
    Object(Object<'a>),
    List,
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(object) => Ok(object),
            _ => Err(serde::de::Error::custom("another kind of value")),
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Empty)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Plain(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Plain(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Plain(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Plain(value.to_string()))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(visible(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(visible(value).into_owned())))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(Value::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Value<'de>)> = Vec::with_capacity(16);
        while let Some(Text(key)) = map.next_key()? {
            let key = match visible(&key) {
                Cow::Borrowed(_) => key,
                Cow::Owned(seen) => Cow::Owned(seen),
            };
            if members.iter().any(|(known, _)| *known == key) {
                return Err(serde::de::Error::custom(format!("`{key}` stands there twice")));
            }
            members.push((key, map.next_value()?));
        }
        Ok(Value::Object(Object(members)))
    }
}

/// A string, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
