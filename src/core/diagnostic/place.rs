//! Places in a file: bytes for programs, lines and columns for people.

use std::sync::Arc;

/// A range of bytes of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

/// A line and a column, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// A span in a file, with its positions and the JSON pointer of the value there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub file: Arc<str>,
    pub span: Span,
    pub start: Position,
    /// The position just after the last character.
    pub end: Position,
    pub pointer: String,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Finds lines and columns in the bytes of one file, which need not be valid UTF-8.
#[derive(Debug)]
pub struct Lines<'a> {
    file: Arc<str>,
    bytes: &'a [u8],
    /// The byte offset at which each line begins.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub fn new(file: &str, bytes: &'a [u8]) -> Self {
        let breaks = bytes
            .iter()
            .enumerate()
            .filter(|(at, byte)| **byte == b'\n' || (**byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')));
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { file: file.into(), bytes, starts }
    }

    /// Returns the line and column of a byte. A byte order mark at the start of the file does not count.
    pub fn position(&self, at: usize) -> Position {
        let at = at.min(self.bytes.len());
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let mut start = self.starts[line - 1];
        if start == 0 && self.bytes.starts_with(BOM) {
            start = BOM.len().min(at);
        }
        // Every byte starts a character, except UTF-8 continuation bytes and the carriage return of a line end.
        let begins = |byte: &&u8| **byte & 0b1100_0000 != 0b1000_0000 && **byte != b'\r';
        Position { line, column: self.bytes[start..at].iter().filter(begins).count() + 1 }
    }

    pub fn place(&self, span: Span, pointer: impl Into<String>) -> Place {
        let start = span.start.min(self.bytes.len());
        let span = Span::new(start, span.end.clamp(start, self.bytes.len()));
        Place {
            file: Arc::clone(&self.file),
            span,
            start: self.position(span.start),
            end: self.position(span.end),
            pointer: pointer.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, Position, Span};

    #[test]
    fn columns_count_characters() {
        let text = "\u{feff}a: ç\r\n🙂b: x\n";
        let lines = Lines::new("f", text.as_bytes());
        let at = |what: &str| lines.position(text.find(what).unwrap());
        assert_eq!(at("a:"), Position { line: 1, column: 1 });
        assert_eq!(at("ç"), Position { line: 1, column: 4 });
        assert_eq!(at("b:"), Position { line: 2, column: 2 });
        assert_eq!(lines.position(text.len()), Position { line: 3, column: 1 });
        assert_eq!(lines.position(usize::MAX), Position { line: 3, column: 1 });
    }

    #[test]
    fn places_stay_inside_the_file() {
        let place = Lines::new("f", b"ab").place(Span::new(9, 4), "");
        assert_eq!((place.span.start, place.span.end), (2, 2));
        assert_eq!(Lines::new("f", b"\xff\xffx").position(2), Position { line: 1, column: 3 });
    }
}
