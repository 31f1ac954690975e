//! The mapping from the column names of a file to the known columns.

use std::collections::HashMap;

use super::Error;
use crate::core::domain::fold;

/// A known column: its documented name, its meaning, and if it is required.
pub(super) struct Column<C: 'static> {
    pub(super) name: &'static str,
    pub(super) is: C,
    pub(super) required: bool,
}

impl<C> Column<C> {
    pub(super) const fn required(name: &'static str, is: C) -> Self {
        Self { name, is, required: true }
    }

    pub(super) const fn optional(name: &'static str, is: C) -> Self {
        Self { name, is, required: false }
    }
}

/// One cell of a row. An unknown column is an attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'a, C> {
    pub(super) column: Option<C>,
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    /// The value is a JSON number or boolean: text for ids and attributes, an error for everything else.
    pub(super) plain: bool,
}

/// The known columns by name. Case, accents, blanks, `_` and `-` do not count, so `Account ID` and `accountId` both are
/// `account_id`.
pub(super) struct Columns<C: 'static> {
    known: &'static [Column<C>],
    seen: HashMap<String, Option<C>>,
}

impl<C: Copy + PartialEq> Columns<C> {
    pub(super) fn new(known: &'static [Column<C>]) -> Self {
        Self { known, seen: HashMap::new() }
    }

    /// Returns the known column called `name`.
    pub(super) fn find(&mut self, name: &str) -> Option<C> {
        if let Some(found) = self.seen.get(name) {
            return *found;
        }
        let key = key(name);
        let found = self.known.iter().find(|column| self::key(column.name) == key).map(|column| column.is);
        // A file with other columns on every line must not fill the memory.
        if self.seen.len() < 1000 {
            self.seen.insert(name.to_owned(), found);
        }
        found
    }

    /// Checks a header as a whole.
    pub(super) fn check(&mut self, file: &str, line: u64, header: &[String]) -> Result<(), Error> {
        let refuse = |reason| Err(Error::Refused { name: file.to_owned(), line, reason });
        let keys: Vec<String> = header.iter().map(|name| key(name)).collect();
        let is_known = |key: &String| self.known.iter().any(|column| self::key(column.name) == *key);
        // The first row of a file without a header is a person.
        let personal = |name: &str| name.contains('@') || name.chars().any(|c| c.is_ascii_digit());
        if !keys.iter().any(is_known) && header.iter().any(|name| personal(name)) {
            let required = self.known.iter().filter(|column| column.required);
            let required: Vec<_> = required.map(|column| format!("`{}`", column.name)).collect();
            return refuse(format!(
                "the first row is no header: it must name the columns, {} at least",
                required.join(", ")
            ));
        }
        if let Some(at) = (1..keys.len()).find(|at| !keys[*at].is_empty() && keys[..*at].contains(&keys[*at])) {
            let name = if personal(&header[at]) { "…" } else { &header[at] };
            return refuse(format!("two columns are called `{name}`"));
        }
        let missing = self.known.iter().filter(|column| column.required && !keys.contains(&key(column.name)));
        let missing: Vec<_> = missing.map(|column| format!("`{}`", column.name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let found: Vec<_> = header
            .iter()
            .take(40)
            .map(|name| if personal(name) { "`…`".to_owned() } else { format!("`{name}`") })
            .collect();
        let plural = if missing.len() == 1 { "" } else { "s" };
        refuse(format!("no column{plural} {}; the header has {}", missing.join(", "), found.join(", ")))
    }
}

fn key(name: &str) -> String {
    fold(name).chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect()
}
