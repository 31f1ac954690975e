//! A pure comparison of expected rows with found rows, for messages, targets, runs and the changes of a plan.

use serde_json::{Map, Value};

use super::failure::Subject;
use crate::core::diagnostic::Place;
use crate::core::manifest::testcase::{At, Field, Row, Rows, Wanted};

/// The maximum number of shown rows that are nearest to an expectation.
const NEAREST: usize = 2;
/// The maximum number of listed rows.
const LISTED: usize = 10;

/// A found row, in the vocabulary of tests.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The row's title for people.
    pub(super) title: String,
    pub(super) fields: Map<String, Value>,
    /// The person or run whose history explains the row.
    pub(super) subject: Option<Subject>,
}

/// An expectation that does not hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mismatch {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) expected: Value,
    pub(super) found: Value,
    /// The differences, one per line: `-` marks expected values, `+` found values.
    pub(super) diff: Vec<String>,
    pub(super) subjects: Vec<Subject>,
}

/// Compares the expected `rows` with all found rows; `noun` names one of them.
pub(super) fn compare(noun: &str, rows: &Rows, found: &[Found]) -> Vec<Mismatch> {
    match rows {
        Rows::Each(wanted) => {
            let unmet = wanted.iter().filter(|row| !found.iter().any(|found| matches(&row.it, found)));
            unmet.map(|row| missing(noun, row, found)).collect()
        }
        Rows::Only(place, wanted) => only(noun, place, wanted, found).into_iter().collect(),
        Rows::Count(count, row) => counted(noun, *count, row, found).into_iter().collect(),
    }
}

fn missing(noun: &str, row: &At<Row>, found: &[Found]) -> Mismatch {
    let nearest = nearest(&row.it, found);
    let message = match found.len() {
        0 => format!("there is no {noun} at all; expected {}", conditions(&row.it)),
        _ => format!("no {noun} has {}", conditions(&row.it)),
    };
    Mismatch {
        place: row.place.clone(),
        message,
        expected: written(&row.it),
        found: nearest.iter().map(|found| shown(&row.it, found)).collect(),
        diff: differences(noun, &row.it, &nearest, found.len()),
        subjects: subjects(&row.it, &nearest),
    }
}

fn counted(noun: &str, count: u64, row: &At<Row>, found: &[Found]) -> Option<Mismatch> {
    let matching: Vec<&Found> = found.iter().filter(|found| matches(&row.it, found)).collect();
    if matching.len() as u64 == count {
        return None;
    }
    let with = if row.it.is_empty() { String::new() } else { format!(" with {}", conditions(&row.it)) };
    let message = format!("expected {}{with}, found {}", plural(count, noun), matching.len());
    let nearest = if matching.is_empty() { nearest(&row.it, found) } else { Vec::new() };
    let diff = if matching.is_empty() {
        differences(noun, &row.it, &nearest, found.len())
    } else {
        listed(matching.iter().map(|found| format!("+ {}", found.title)).collect())
    };
    let concerned: Vec<&Found> = matching.iter().copied().chain(nearest).collect();
    Some(Mismatch {
        place: row.place.clone(),
        message,
        expected: count.into(),
        found: matching.len().into(),
        diff,
        subjects: subjects(&row.it, &concerned),
    })
}

fn only(noun: &str, place: &Place, wanted: &[At<Row>], found: &[Found]) -> Option<Mismatch> {
    let pairs = pair(wanted.len(), found.len(), |row, of| matches(&wanted[row].it, &found[of]));
    let missing: Vec<&At<Row>> =
        wanted.iter().enumerate().filter(|(at, _)| !pairs.contains(&Some(*at))).map(|(_, row)| row).collect();
    let extra: Vec<&Found> =
        found.iter().zip(&pairs).filter(|(_, row)| row.is_none()).map(|(found, _)| found).collect();
    if missing.is_empty() && extra.is_empty() {
        return None;
    }
    let message = format!(
        "expected {} and no other: {} missing, {} too many",
        match wanted {
            [_] => format!("this {noun}"),
            _ => format!("these {}", plural(wanted.len() as u64, noun)),
        },
        missing.len(),
        extra.len()
    );
    // The fields that the test names in any row are those that tell rows apart.
    let mut named: Vec<&str> = Vec::new();
    for field in wanted.iter().flat_map(|row| &row.it) {
        if !named.contains(&field.name.as_str()) {
            named.push(&field.name);
        }
    }
    let describe = |found: &Found| -> String {
        let values = named.iter().map(|name| format!("{name}: {}", value(found.fields.get(*name))));
        if named.is_empty() { found.title.clone() } else { values.collect::<Vec<_>>().join(", ") }
    };
    let asked = |row: &Row| row.iter().map(condition).collect::<Vec<_>>().join(", ");
    let diff = missing
        .iter()
        .map(|row| format!("- {}", asked(&row.it)))
        .chain(extra.iter().map(|found| format!("+ {}", describe(found))))
        .collect();
    let mut concerned: Vec<Subject> = missing.iter().flat_map(|row| subjects(&row.it, &[])).collect();
    concerned.extend(extra.iter().filter_map(|found| found.subject.clone()));
    Some(Mismatch {
        place: place.clone(),
        message,
        expected: wanted.iter().map(|row| written(&row.it)).collect(),
        found: found.iter().map(|found| Value::Object(found.fields.clone())).collect(),
        diff: listed(diff),
        subjects: concerned,
    })
}

/// Returns a maximum matching of rows and found rows: for each of `found` the index of its row, if any.
fn pair(rows: usize, found: usize, fits: impl Fn(usize, usize) -> bool) -> Vec<Option<usize>> {
    /// Finds a partner for `row`, and moves other rows to other partners if that frees one.
    fn place(
        row: usize,
        fits: &impl Fn(usize, usize) -> bool,
        pairs: &mut [Option<usize>],
        tried: &mut [bool],
    ) -> bool {
        for of in 0..pairs.len() {
            if tried[of] || !fits(row, of) {
                continue;
            }
            tried[of] = true;
            if pairs[of].is_none_or(|other| place(other, fits, pairs, tried)) {
                pairs[of] = Some(row);
                return true;
            }
        }
        false
    }
    let mut pairs = vec![None; found];
    for row in 0..rows {
        place(row, &fits, &mut pairs, &mut vec![false; found]);
    }
    pairs
}

fn matches(row: &Row, found: &Found) -> bool {
    row.iter().all(|field| holds(field, found))
}

fn holds(field: &Field, found: &Found) -> bool {
    let value = found.fields.get(&field.name).unwrap_or(&Value::Null);
    match &field.wanted {
        Wanted::Is(wanted) => value == wanted,
        Wanted::Contains(part) => value.as_str().is_some_and(|text| text.contains(part.as_str())),
    }
}

/// Returns the rows that differ least, at most `NEAREST`.
fn nearest<'a>(row: &Row, found: &'a [Found]) -> Vec<&'a Found> {
    let mut ranked: Vec<(u32, &Found)> = found.iter().map(|found| (distance(row, found), found)).collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    let best = ranked.first().map_or(0, |(distance, _)| *distance);
    ranked.into_iter().take_while(|(distance, _)| *distance == best).take(NEAREST).map(|(_, found)| found).collect()
}

/// Returns the weighted number of fields that differ. Identifying fields weigh more than fields that describe a state.
fn distance(row: &Row, found: &Found) -> u32 {
    let weight = |field: &Field| match field.name.as_str() {
        "referral" => 100,
        "account" | "campaign" | "kind" | "name" => 30,
        "day" => 5,
        _ => 1,
    };
    row.iter().filter(|field| !holds(field, found)).map(weight).sum()
}

fn differences(noun: &str, row: &Row, nearest: &[&Found], of: usize) -> Vec<String> {
    let mut diff = Vec::new();
    for found in nearest {
        diff.push(format!("nearest of {}: {}", plural(of as u64, noun), found.title));
        for field in row {
            if holds(field, found) {
                diff.push(format!("    {}", condition(field)));
            } else {
                diff.push(format!("  - {}", condition(field)));
                diff.push(format!("  + {}: {}", field.name, value(found.fields.get(&field.name))));
            }
        }
    }
    diff
}

fn listed(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LISTED);
    if more > 1 {
        lines.truncate(LISTED);
        lines.push(format!("  and {more} more"));
    }
    lines
}

/// Returns the person that the row names, otherwise the subjects of the found rows.
fn subjects(row: &Row, found: &[&Found]) -> Vec<Subject> {
    let named = row.iter().find_map(|field| match (&field.wanted, field.name.as_str()) {
        (Wanted::Is(Value::String(id)), "referral") => Some(Subject::Person(id.clone())),
        _ => None,
    });
    match named {
        Some(named) => vec![named],
        None => found.iter().filter_map(|found| found.subject.clone()).collect(),
    }
}

fn conditions(row: &Row) -> String {
    row.iter().map(|field| format!("`{}`", condition(field))).collect::<Vec<_>>().join(", ")
}

fn condition(field: &Field) -> String {
    match &field.wanted {
        Wanted::Is(wanted) => format!("{}: {}", field.name, value(Some(wanted))),
        Wanted::Contains(part) => format!("{}Contains: {}", field.name, value(Some(&part.as_str().into()))),
    }
}

/// Returns a value as the language of tests writes it.
fn value(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) if !text.is_empty() && text.trim() == text && !text.contains(['\n', '"']) => {
            text.clone()
        }
        Some(value) => value.to_string(),
    }
}

fn written(row: &Row) -> Value {
    let pair = |field: &Field| match &field.wanted {
        Wanted::Is(value) => (field.name.clone(), value.clone()),
        Wanted::Contains(part) => (format!("{}Contains", field.name), part.as_str().into()),
    };
    Value::Object(row.iter().map(pair).collect())
}

/// Returns the fields of a found row that the expectation names, with those that identify the row.
fn shown(row: &Row, found: &Found) -> Value {
    let is_named = |name: &str| row.iter().any(|field| field.name == name);
    let who = ["referral", "account", "campaign", "day", "kind", "name"];
    let fields = found.fields.iter().filter(|(name, _)| is_named(name) || who.contains(&name.as_str()));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

pub(super) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
