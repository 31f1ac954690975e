//! The mapping from the column names of a file to the known columns.

use std::collections::HashMap;

use super::Error;
use crate::core::domain::fold;

/// A known column: its documented name and meaning, and if it is required.
pub(super) struct Column<C: 'static> {
    pub(super) name: &'static str,
    pub(super) is: C,
    pub(super) required: bool,
    pub(super) meaning: &'static str,
}

impl<C> Column<C> {
    pub(super) const fn required(name: &'static str, is: C, meaning: &'static str) -> Self {
        Self { name, is, required: true, meaning }
    }

    pub(super) const fn optional(name: &'static str, is: C, meaning: &'static str) -> Self {
        Self { name, is, required: false, meaning }
    }
}

/// The prefix of a name in a mapping that makes an attribute of a column.
pub(super) const ATTRIBUTES: &str = "attributes.";

/// One cell of a row. An unknown column is an attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'a, C> {
    pub(super) column: Option<C>,
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    /// The value is a JSON number or boolean: text for ids and attributes, an error for everything else.
    pub(super) plain: bool,
    /// The cell holds no text. The fault of its row says why.
    pub(super) broken: bool,
}

/// The known columns by name. Case, accents, blanks, `_` and `-` do not count, so `Account ID` and `accountId` both are
/// `account_id`. A mapping adds names, and counts more than they do.
pub(super) struct Columns<C: 'static> {
    known: &'static [Column<C>],
    /// The names of known columns, or of attributes after [`ATTRIBUTES`], by keys of headers.
    mapped: HashMap<String, String>,
    seen: HashMap<String, Place<C>>,
}

/// The meaning of a header.
#[derive(Debug, Clone)]
pub(super) struct Place<C> {
    pub(super) column: Option<C>,
    /// The header as the file spells it, or the attribute that a mapping makes of it.
    pub(super) name: String,
}

impl<C: Copy + PartialEq> Columns<C> {
    pub(super) fn new(known: &'static [Column<C>], mapped: &[(String, String)]) -> Self {
        let mapped = mapped.iter().map(|(header, column)| (key(header), column.clone())).collect();
        Self { known, mapped, seen: HashMap::new() }
    }

    /// Returns the known column called `name`.
    pub(super) fn find(&mut self, name: &str) -> Option<C> {
        if let Some(found) = self.seen.get(name) {
            return found.column;
        }
        let place = self.place(name);
        let column = place.column;
        // A file with other columns on every line must not fill the memory.
        if self.seen.len() < 1000 {
            self.seen.insert(name.to_owned(), place);
        }
        column
    }

    /// Returns the meaning of a header.
    pub(super) fn place(&self, header: &str) -> Place<C> {
        let mapped = self.mapped.get(&key(header));
        if let Some(attribute) = mapped.and_then(|column| column.strip_prefix(ATTRIBUTES)) {
            return Place { column: None, name: attribute.to_owned() };
        }
        let key = key(mapped.map_or(header, String::as_str));
        let column = self.known.iter().find(|column| self::key(column.name) == key).map(|column| column.is);
        Place { column, name: header.to_owned() }
    }

    /// Checks a header as a whole.
    pub(super) fn check(&self, file: &str, line: u64, header: &[String]) -> Result<(), Error> {
        let places: Vec<Place<C>> = header.iter().map(|name| self.place(name)).collect();
        // The first row of a file without a header is a person, whom no error repeats.
        let is_personal = |name: &str| name.contains('@') || name.chars().any(|c| c.is_ascii_digit());
        let shown = |name: &str| if is_personal(name) { "…".to_owned() } else { name.to_owned() };
        if places.iter().all(|place| place.column.is_none()) && header.iter().any(|name| is_personal(name)) {
            let required = self.known.iter().filter(|column| column.required);
            let required: Vec<_> = required.map(|column| format!("`{}`", column.name)).collect();
            let reason =
                format!("the first row is no header: it must name the columns, {} at least", required.join(", "));
            return Err(Error::Refused { name: file.to_owned(), line, reason });
        }
        let same = |one: &Place<C>, other: &Place<C>| match (one.column, other.column) {
            (Some(one), Some(other)) => one == other,
            (None, None) => !key(&one.name).is_empty() && key(&one.name) == key(&other.name),
            _ => false,
        };
        let twice = places.iter().enumerate().find_map(|(at, place)| {
            places[..at].iter().position(|before| same(before, place)).map(|before| (before, at))
        });
        if let Some((before, at)) = twice {
            let (one, other) = (shown(&header[before]), shown(&header[at]));
            let reason = if key(&header[before]) == key(&header[at]) {
                format!("two columns are called `{other}`")
            } else {
                format!("two columns mean the same: `{one}` and `{other}`")
            };
            return Err(Error::Refused { name: file.to_owned(), line, reason });
        }
        let has = |is| places.iter().any(|place| place.column == Some(is));
        let missing = self.known.iter().filter(|column| column.required && !has(column.is));
        let missing: Vec<&'static str> = missing.map(|column| column.name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let found = header.iter().filter(|name| !name.is_empty()).take(40).map(|name| shown(name)).collect();
        Err(Error::MissingColumns { name: file.to_owned(), line, missing, found })
    }
}

/// Returns the header without what does not distinguish it from others.
pub(super) fn key(name: &str) -> String {
    fold(name).chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect()
}
