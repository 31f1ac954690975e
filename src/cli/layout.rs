//! The layout of the details of one object: facts below a title, sections, times.

use std::fmt::Write as _;

use super::table::{one_line, relative, time};
use crate::core::domain::Timestamp;
use crate::store::query::Person;

/// Renders lines of `name: value` below a title, with the values aligned.
pub(super) fn facts(title: &str, facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default() + 1;
    let mut text = title.to_owned();
    for (name, value) in facts {
        let name = format!("{name}:");
        write!(text, "\n  {name:<width$}  {value}").expect("writing to a string cannot fail");
    }
    text
}

/// Renders `text`, indented, below a title.
pub(super) fn section(title: &str, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect();
    format!("\n\n{title}\n{}", lines.join("\n"))
}

/// Renders `2026-11-30 09:12 (in 5h)`.
pub(super) fn when(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", time(at), relative(at, now))
}

pub(super) fn maybe(value: Option<&str>) -> String {
    value.map_or_else(|| "-".to_owned(), one_line)
}

/// Describes a person's consent, with any opt-out and any reply that waits for review.
pub(super) fn consent(person: &Person, now: Timestamp) -> String {
    let consent_words = match (person.suppressed_at, person.consent.as_deref()) {
        (Some(at), _) => format!("asked to get no messages, {}", when(at, now)),
        (None, consent) => consent.unwrap_or("unknown").to_owned(),
    };
    match person.held_at {
        Some(at) => format!("{consent_words}; wrote what may be an opt-out and waits to be read, {}", when(at, now)),
        None => consent_words,
    }
}

/// Renders the last line, which gives the zone of all times.
pub(super) fn footer(now: Timestamp) -> String {
    format!("\n\ntimes are UTC, now {}", time(now))
}
