//! The YAML parser: trees of values with byte positions.
//!
//! A file is first split at its document markers, so a mistake in one document does not affect the others. Budgets
//! stop files that are small on disk and large in memory. Repeated keys are kept, so that `check` can report each of
//! them.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Options, Spanned};

use super::fault::{Failure, failure};
use crate::core::diagnostic::{Code, Span};

/// The nesting limit. Manifests nest about eight levels; each level takes about 35 kB of stack in a debug build.
pub(super) const MAX_DEPTH: usize = 24;
/// The limit of values in one document, keys included. A regular file of the maximum size has fewer.
pub(super) const MAX_NODES: usize = 400_000;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::core::manifest) struct Node {
    /// The whole of a scalar, but only the beginning of a list or mapping: see [`Node::span`].
    at: Span,
    pub(in crate::core::manifest) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::core::manifest) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::core::manifest) struct Key {
    pub(in crate::core::manifest) name: String,
    pub(in crate::core::manifest) span: Span,
}

/// Returns the byte ranges of the documents of a file, in order.
///
/// A range begins at the marker of its document, or behind it if a byte order mark follows: joined files have one there,
/// and the parser takes it at the beginning only.
pub(in crate::core::manifest) fn documents(text: &str) -> Vec<Span> {
    /// The part of a file in which a line stands.
    #[derive(PartialEq)]
    enum In {
        /// Comments and `%YAML` directives, which belong to the document that follows.
        Preamble,
        /// The line behind a marker.
        FirstLine,
        Document,
    }
    let mut spans = vec![Span::new(0, 0)];
    let mut at = 0;
    let mut place = In::Preamble;
    for line in text.split_inclusive('\n') {
        let plain = line.trim_start_matches('\u{feff}');
        let marks = |marker| {
            plain
                .strip_prefix(marker)
                .is_some_and(|rest: &str| rest.is_empty() || rest.starts_with(char::is_whitespace))
        };
        let here = Span::new(at, at);
        let next = at + line.len();
        if marks("---") {
            if place != In::Preamble {
                spans.push(here);
            }
            let rest = plain[3..].trim();
            place = if rest.is_empty() || rest.starts_with('#') { In::FirstLine } else { In::Document };
        } else if line.starts_with("...") && line[3..].trim().is_empty() && place != In::Preamble {
            // The document ends here, and directives of the next one may follow.
            if let Some(last) = spans.last_mut() {
                last.end = next;
            }
            spans.push(Span::new(next, next));
            place = In::Preamble;
        } else {
            match spans.last_mut() {
                Some(last) if place == In::FirstLine && line.len() > plain.len() => last.start = at,
                _ => {}
            }
            let is_preamble = plain.trim().is_empty() || plain.starts_with(['#', '%']);
            place = if place == In::Preamble && is_preamble { In::Preamble } else { In::Document };
        }
        at = next;
        if let Some(last) = spans.last_mut() {
            last.end = at;
        }
    }
    spans
}

/// Parses one range that [`documents`] returned; returns no document when it holds only comments.
pub(in crate::core::manifest) fn parse(text: &str, range: Span) -> Result<Vec<Node>, Failure> {
    let document = &text[range.start..range.end];
    if let Some(at) = document.find('\0') {
        let at = range.start + at;
        return Err(Failure {
            code: Code::InvalidYaml,
            message: "the file holds a NUL byte".to_owned(),
            span: Span::new(at, at + 1),
            help: Some("save it as UTF-8; files in UTF-16 are full of NUL bytes".to_owned()),
        });
    }
    let mut nodes: Vec<Node> = serde_saphyr::from_str_multiple_with_options(document, options())
        .map_err(|error| failure(&error, text, range))?;
    for node in &mut nodes {
        node.shift(range.start);
    }
    match nodes.iter().find_map(Node::nul) {
        Some(span) => Err(Failure {
            code: Code::InvalidYaml,
            message: "the text holds an escaped NUL character, which neither Postgres nor any channel takes".to_owned(),
            span,
            help: Some("leave `\\0` out".to_owned()),
        }),
        None => Ok(nodes),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_recorded_anchor_events: 100_000,
            max_recorded_anchor_bytes: 4 * 1024 * 1024,
            max_total_scalar_bytes: 16 * 1024 * 1024,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 50_000, max_replay_stack_depth: 16 },
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

impl Node {
    /// Returns the place of a text or key with a NUL character.
    fn nul(&self) -> Option<Span> {
        match &self.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) => None,
            Kind::Text(text) => text.contains('\0').then_some(self.span()),
            Kind::List(items) => items.iter().find_map(Self::nul),
            Kind::Map(entries) => entries
                .iter()
                .find_map(|(key, value)| if key.name.contains('\0') { Some(key.span) } else { value.nul() }),
        }
    }

    /// Returns the number of values, with keys, and the bytes of their texts.
    pub(in crate::core::manifest) fn weight(&self) -> (usize, usize) {
        let sum = |(values, text): (usize, usize), (more, longer): (usize, usize)| (values + more, text + longer);
        match &self.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) => (1, 0),
            Kind::Text(text) => (1, text.len()),
            Kind::List(items) => items.iter().map(Self::weight).fold((1, 0), sum),
            Kind::Map(entries) => {
                entries.iter().map(|(key, value)| sum((1, key.name.len()), value.weight())).fold((1, 0), sum)
            }
        }
    }

    /// Converts the value to JSON; the first of repeated keys is used.
    pub(in crate::core::manifest) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    map.entry(key.name.as_str()).or_insert_with(|| value.to_json());
                }
                Value::Object(map)
            }
        }
    }

    pub(in crate::core::manifest) fn get(&self, name: &str) -> Option<&Self> {
        self.entry(name).map(|(_, value)| value)
    }

    pub(in crate::core::manifest) fn entry(&self, name: &str) -> Option<(&Key, &Self)> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(key, value)| (key, value)),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => None,
        }
    }

    pub(in crate::core::manifest) fn entries(&self) -> &[(Key, Self)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => &[],
        }
    }

    pub(in crate::core::manifest) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => &[],
        }
    }

    pub(in crate::core::manifest) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    pub(in crate::core::manifest) fn is_scalar(&self) -> bool {
        !matches!(self.kind, Kind::List(_) | Kind::Map(_))
    }

    /// Returns the span to underline: the whole of a scalar, or the first key or value in a list or mapping.
    pub(in crate::core::manifest) fn span(&self) -> Span {
        match &self.kind {
            Kind::Map(entries) => entries.first().map_or(self.at, |(key, _)| key.span),
            Kind::List(items) => items.first().map_or(self.at, Self::span),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => self.at,
        }
    }

    fn shift(&mut self, by: usize) {
        let moved = |span: Span| Span::new(span.start + by, span.end + by);
        self.at = moved(self.at);
        match &mut self.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| item.shift(by)),
            Kind::Map(entries) => {
                for (key, value) in entries {
                    key.span = moved(key.span);
                    value.shift(by);
                }
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        }
    }
}

fn span_of<T>(spanned: &Spanned<T>) -> Span {
    let at = spanned.referenced.span();
    let number = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
    let start = number(at.byte_offset());
    Span::new(start, start + number(at.byte_len()))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { at: span_of(&spanned), kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, a boolean, a list or a mapping")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Kind, E> {
        Number::from_f64(value).map(Kind::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Kind, E> {
        #[expect(clippy::cast_precision_loss, reason = "too large for every number of a manifest: refused later")]
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Kind, E> {
        #[expect(clippy::cast_precision_loss, reason = "too large for every number of a manifest: refused later")]
        self.visit_f64(value as f64)
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let span = span_of(&key);
            entries.push((Key { name: key.value, span }, map.next_value()?));
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Failure, Kind, Node, documents, parse};
    use crate::core::diagnostic::{Code, Span};

    fn read(text: &str) -> Result<Vec<Node>, Failure> {
        parse(text, Span::new(0, text.len()))
    }

    fn one(text: &str) -> Node {
        read(text).unwrap().remove(0)
    }

    #[test]
    fn values_follow_yaml_1_2_and_keep_leading_zeros() {
        let node =
            one("a: NO\nb: 08:00\nc: 007\nd: 1_000\ne: 2026-12-25\nf: +237671000001\ng: true\nh: 1.5\ni:\nj: 0x1F\n");
        assert_eq!(
            node.to_json(),
            json!({"a": "NO", "b": "08:00", "c": "007", "d": "1_000", "e": "2026-12-25", "f": 237_671_000_001_u64,
                   "g": true, "h": 1.5, "i": null, "j": 31})
        );
    }

    #[test]
    fn spans_cover_the_bytes_of_the_whole_value() {
        let text = "\u{feff}é: ç\r\nlist:\r\n  - \"a b\"\r\n  - x: |\r\n      one\r\n      two\r\nflow: {k: v}\r\n";
        let node = one(text);
        let of = |node: &Node| &text[node.span().start..node.span().end];
        assert_eq!(of(node.get("é").unwrap()), "ç");
        assert_eq!(of(&node), "é");
        let list = node.get("list").unwrap().items();
        assert_eq!(of(&list[0]), "\"a b\"");
        assert_eq!(of(&list[1]), "x");
        assert_eq!(of(list[1].get("x").unwrap()), "one\r\n      two\r\n");
        assert_eq!(of(node.get("flow").unwrap().get("k").unwrap()), "v");
        assert_eq!(list[1].get("x").unwrap().text(), Some("one\ntwo\n"));
    }

    #[test]
    fn documents_are_split_at_their_markers() {
        let text = "# c\n%YAML 1.2\n---\na: 1\n---\nb: |\n  ---\n  x\n--- # c\n---\nc: 3\n";
        let parts = documents(text);
        let nodes: Vec<_> = parts.iter().flat_map(|part| parse(text, *part).unwrap()).collect();
        let keys: Vec<_> = nodes.iter().filter_map(|n| n.entries().first()).map(|(k, _)| k.name.clone()).collect();
        assert_eq!((parts.len(), keys.join("")), (4, "abc".to_owned()));
        let at = nodes.last().unwrap().span();
        assert_eq!(&text[at.start..at.end], "c");
    }

    #[test]
    fn an_end_marker_or_a_byte_order_mark_begins_a_document_of_its_own() {
        for (text, expected) in [
            ("a: 1\n...\n%YAML 1.2\n---\nb: 2\n", "ab"),
            ("a: 1\n---\n\u{feff}b: 2\n", "ab"),
            ("a: 1\n--- # c\n\u{feff}# d\nb: 2\n", "ab"),
            ("\u{feff}a: 1\n\u{feff}---\nb: 2\n", "ab"),
            ("a: 1\n...\n", "a"),
            ("a: 1\n...\n# c\n---\nb: 2\n...\nc: 3\n", "abc"),
            ("%YAML 1.2\n---\na: 1\n...\n", "a"),
        ] {
            let nodes: Vec<_> = documents(text).iter().flat_map(|part| parse(text, *part).unwrap()).collect();
            let keys: Vec<&str> = nodes.iter().flat_map(Node::entries).map(|(key, _)| &*key.name).collect();
            assert_eq!(keys.concat(), expected, "{text:?}");
            let last = nodes.last().unwrap().span();
            assert_eq!(&text[last.start..last.end], &expected[expected.len() - 1..], "{text:?}");
        }
    }

    #[test]
    fn repeated_keys_are_kept_and_the_first_counts() {
        let node = one("a: 1\na: 2\n");
        assert_eq!((node.entries().len(), node.to_json()), (2, json!({"a": 1})));
    }

    #[test]
    fn merge_keys_and_aliases_work() {
        let node = one("base: &b {x: 1, y: 2}\nit:\n  <<: *b\n  y: 3\nlist: [*b]\n");
        assert_eq!(node.get("it").unwrap().to_json(), json!({"y": 3, "x": 1}));
        assert!(matches!(node.get("list").unwrap().items()[0].kind, Kind::Map(_)));
    }

    #[test]
    fn failures_have_a_code_and_a_place() {
        let at = |text: &str| read(text).map_err(|f| (f.code, f.span.start)).unwrap_err();
        assert_eq!(at("a: 1\nç:\n\tb: 2\n").0, Code::InvalidYaml);
        assert_eq!(at("a: [1\n").0, Code::InvalidYaml);
        assert_eq!(at("a: \0\n"), (Code::InvalidYaml, 3));
        assert_eq!(at("a: !secret b\n").0, Code::UnsupportedYaml);
        assert_eq!(at("a: .inf\n").0, Code::UnsupportedYaml);
        assert_eq!(at(&"[".repeat(10_000)).0, Code::YamlTooComplex);
    }
}
