//! The columns that a statement reads, by its text.

use super::Column;

/// Returns true if `sql` reads exactly `columns` from one `unnest`, in this order, by parameters that start at `first`.
pub(super) const fn names(sql: &str, columns: &[Column], first: usize) -> bool {
    let mut at = 0;
    while at < sql.len() {
        let start = Reader { sql: sql.as_bytes(), at: Some(at) }.word("unnest(");
        if start.at.is_some() && start.unnest(columns, first).at.is_some() {
            return true;
        }
        at += 1;
    }
    false
}

/// Reads a statement word by word; white space between words counts for nothing.
#[derive(Clone, Copy)]
struct Reader<'a> {
    sql: &'a [u8],
    /// The next byte; `None` once the text differs from what was expected.
    at: Option<usize>,
}

impl Reader<'_> {
    /// Reads the rest of an `unnest` and the names of its columns.
    const fn unnest(self, columns: &[Column], first: usize) -> Self {
        let mut read = self;
        let mut n = 0;
        while n < columns.len() {
            let end = if n + 1 == columns.len() { ")" } else { "," };
            read = read.word("$").number(first + n).word("::").word(columns[n].kind).word("[]").word(end);
            n += 1;
        }
        let ordered = read.word("with ordinality");
        let is_ordered = ordered.at.is_some();
        read = if is_ordered { ordered } else { read }.word("as").name().word("(");
        let mut n = 0;
        while n < columns.len() {
            let end = if n + 1 < columns.len() || is_ordered { "," } else { ")" };
            read = read.word(columns[n].name).word(end);
            n += 1;
        }
        if is_ordered { read.name().word(")") } else { read }
    }

    const fn word(self, word: &str) -> Self {
        let (Some(mut at), word) = (self.skip_space(), word.as_bytes()) else { return self };
        let mut n = 0;
        while n < word.len() {
            if at >= self.sql.len() || self.sql[at] != word[n] {
                return Self { sql: self.sql, at: None };
            }
            (at, n) = (at + 1, n + 1);
        }
        Self { sql: self.sql, at: Some(at) }
    }

    const fn number(self, number: usize) -> Self {
        let Some(mut at) = self.at else { return self };
        let mut read = 0;
        while at < self.sql.len() && self.sql[at].is_ascii_digit() {
            read = read * 10 + (self.sql[at] - b'0') as usize;
            at += 1;
        }
        Self { sql: self.sql, at: if read == number { Some(at) } else { None } }
    }

    /// Reads any name.
    const fn name(self) -> Self {
        let Some(mut at) = self.skip_space() else { return self };
        let start = at;
        while at < self.sql.len() && (self.sql[at].is_ascii_alphanumeric() || self.sql[at] == b'_') {
            at += 1;
        }
        Self { sql: self.sql, at: if at > start { Some(at) } else { None } }
    }

    const fn skip_space(self) -> Option<usize> {
        let Some(mut at) = self.at else { return None };
        while at < self.sql.len() && self.sql[at].is_ascii_whitespace() {
            at += 1;
        }
        Some(at)
    }
}
