//! CSV files, record by record, with the line on which each record begins.
//!
//! `csv-core` splits the fields, but this module frames the records. It must name the right line after blank lines and
//! CRLF, and must bound its memory. A stray quote must not swallow the following rows: a senseless record is given up
//! at the end of its first line.

use std::io;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::window::Window;
use crate::core::domain::visible;

/// The length limit of a record, in bytes. A longer one most likely has an unclosed quote.
const MAX_RECORD: usize = 64 * 1024;
const MAX_FIELDS: usize = 1000;

/// One record, or its fault.
#[derive(Debug)]
pub(super) enum Record<'a> {
    Fields { line: u64, fields: Fields<'a> },
    Broken { line: u64, start: &'a [u8], reason: &'static str },
}

/// The unquoted fields of a record, without invisible characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    text: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends).map(move |(start, end)| &self.text[start..*end])
    }

    pub(super) fn len(self) -> usize {
        self.ends.len()
    }
}

pub(super) struct Csv {
    window: Window,
    core: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    tidied: Vec<u8>,
    /// The number of fields in the header. A record over several lines with another number has a stray quote.
    width: Option<usize>,
}

enum Framed {
    Record { bytes: usize, lines: u64, text: usize, fields: usize },
    Broken(&'static str),
    End,
}

impl Csv {
    /// Starts at the header. A line such as `sep=;` before it states the separator of the file, else the header shows
    /// it: `,` `;` `|` or a tab. Blank lines before the header are skipped.
    pub(super) fn new(mut window: Window) -> io::Result<Self> {
        let mut separator = None;
        loop {
            window.skip_empty_lines()?;
            while !window.ended() && !window.bytes().contains(&b'\n') && window.bytes().len() < MAX_RECORD {
                window.more()?;
            }
            let line = window.bytes().split(|b| *b == b'\n').next().unwrap_or_default();
            let found = stated(line);
            let is_last = line.len() == window.bytes().len();
            if is_last || (found.is_none() && !is_blank(line)) {
                break;
            }
            separator = separator.or(found);
            window.skip_line()?;
        }
        let stated = separator
            .filter(|separator| window.bytes().split(|b| *b == b'\n').next().unwrap_or_default().contains(separator));
        let delimiter = stated.unwrap_or_else(|| counted(window.bytes()));
        let core = ReaderBuilder::new().delimiter(delimiter).build();
        let (text, ends) = (vec![0; MAX_RECORD], vec![0; MAX_FIELDS]);
        Ok(Self { window, core, text, ends, tidied: Vec::new(), width: None })
    }

    /// Returns the next record; empty lines are skipped.
    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        self.window.skip_empty_lines()?;
        let line = self.window.line();
        match self.frame()? {
            Framed::End => Ok(None),
            Framed::Record { bytes, lines, text, fields } => {
                if lines > 1 && self.width.is_some_and(|width| width != fields) {
                    return self.give_up(line, "a quote is opened or closed in the wrong place");
                }
                self.window.take(bytes, lines);
                self.width = self.width.or(Some(fields));
                let text = self.tidy(text, fields);
                let fields = Fields { text: &self.text[..text], ends: &self.ends[..fields] };
                Ok(Some(Record::Fields { line, fields }))
            }
            Framed::Broken(reason) => self.give_up(line, reason),
        }
    }

    /// Takes invisible characters, and the formula `="…"` around text, out of the fields of a record of `length` bytes.
    /// Returns the new length.
    fn tidy(&mut self, length: usize, fields: usize) -> usize {
        // Each of these bytes begins one of the characters in question.
        let suspect = |b: &u8| matches!(b, b'=' | 0xc2 | 0xcd | 0xe1..=0xe3 | 0xef | 0xf3);
        if !self.text[..length].iter().any(suspect) {
            return length;
        }
        self.tidied.clear();
        let mut start = 0;
        for end in &mut self.ends[..fields] {
            let field = &self.text[start..*end];
            start = *end;
            let text = std::str::from_utf8(field).map(visible);
            let text = text.as_ref().map_or(field, |text| text.as_bytes());
            let formula = text.trim_ascii().strip_prefix(b"=\"").and_then(|rest| rest.strip_suffix(b"\""));
            self.tidied.extend_from_slice(formula.unwrap_or(text));
            *end = self.tidied.len();
        }
        self.text[..self.tidied.len()].copy_from_slice(&self.tidied);
        self.tidied.len()
    }

    fn give_up(&mut self, line: u64, reason: &'static str) -> io::Result<Option<Record<'_>>> {
        let bytes = self.window.bytes();
        let end = bytes.iter().take(200).position(|b| *b == b'\n').unwrap_or(bytes.len().min(200));
        self.text[..end].copy_from_slice(&bytes[..end]);
        self.window.skip_line()?;
        Ok(Some(Record::Broken { line, start: &self.text[..end], reason }))
    }

    /// Finds the end of the first record in the window.
    fn frame(&mut self) -> io::Result<Framed> {
        loop {
            self.core.reset();
            let input = self.window.bytes();
            if input.is_empty() && self.window.ended() {
                return Ok(Framed::End);
            }
            let (mut result, mut bytes, mut text, mut fields) =
                self.core.read_record(input, &mut self.text, &mut self.ends);
            if result == ReadRecordResult::InputEmpty && self.window.ended() {
                // The last line may lack its line end. This added line end is one more character inside quotes, and
                // ends the record outside.
                let (again, _, more_text, more_fields) =
                    self.core.read_record(b"\n", &mut self.text[text..], &mut self.ends[fields..]);
                if again == ReadRecordResult::InputEmpty {
                    return Ok(Framed::Broken("a quote is opened and never closed"));
                }
                (result, text, fields) = (again, text + more_text, fields + more_fields);
            }
            match result {
                ReadRecordResult::Record => {
                    let ends = input[..bytes].iter().map(|b| u64::from(*b == b'\n')).sum::<u64>();
                    let bare = input[..bytes].last() == Some(&b'\r');
                    match input.get(bytes) {
                        Some(b'\n') if bare => bytes += 1,
                        None if bare && !self.window.ended() => {
                            self.window.more()?;
                            continue;
                        }
                        _ => {}
                    }
                    return Ok(Framed::Record { bytes, lines: ends + u64::from(bare), text, fields });
                }
                ReadRecordResult::InputEmpty if bytes <= MAX_RECORD => self.window.more()?,
                ReadRecordResult::OutputEndsFull => return Ok(Framed::Broken("more than 1000 fields")),
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull => {
                    return Ok(Framed::Broken("longer than 64 KiB, or a quote is never closed"));
                }
                ReadRecordResult::End => return Ok(Framed::End),
            }
        }
    }
}

/// Returns the separator of a line such as `sep=;`, by which Excel tells it. Programs that know nothing of such a line
/// fill it up with separators, or put it in quotes.
fn stated(line: &[u8]) -> Option<u8> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (start, rest) = line.split_at_checked(4)?;
    let (separator, rest) = rest.split_first()?;
    let is_separator = |b: &u8| matches!(b, b',' | b';' | b'\t' | b'|' | b' ' | b'"');
    let is_stated = start.eq_ignore_ascii_case(b"sep=") && rest.iter().all(is_separator);
    (is_stated && (separator.is_ascii_punctuation() || *separator == b'\t') && *separator != b'"').then_some(*separator)
}

/// Returns true for a line of nothing but separators and blanks.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| b.is_ascii_whitespace() || matches!(b, b',' | b';' | b'|' | b'"'))
}

/// Returns the separator that the header uses most, outside quotes.
fn counted(bytes: &[u8]) -> u8 {
    let header = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in header {
        quoted ^= *byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(separator, _)| separator == byte && !quoted) {
            *count += 1;
        }
    }
    // If counts are equal, the first separator wins: a file with one column then counts as comma-separated.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| separator)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{Csv, Record, Window};

    fn read(text: impl Into<Vec<u8>>) -> Vec<String> {
        let mut csv = Csv::new(Window::new(Box::new(Cursor::new(text.into())))).unwrap();
        let mut found = Vec::new();
        while let Some(record) = csv.next().unwrap() {
            found.push(match record {
                Record::Fields { line, fields } => {
                    let fields: Vec<_> = fields.iter().map(String::from_utf8_lossy).collect();
                    format!("{line}: {}", fields.join("|"))
                }
                Record::Broken { line, reason, .. } => format!("{line}! {reason}"),
            });
        }
        found
    }

    #[test]
    fn records_carry_their_line_number_in_the_file() {
        let expected = ["1: a|b", "2: 1|x\ny", "5: 2|z", "6: 3|"];
        assert_eq!(read("a,b\n1,\"x\ny\"\n\n2,z\n3,\n"), expected);
        assert_eq!(read("a,b\r\n1,\"x\ny\"\r\n\r\n2,z\r\n3,"), expected);
        assert_eq!(read("a;b\n1;\"x\ny\"\n\n2;z\n3;"), expected);
        assert_eq!(read("a\tb\n1\t\"x\ny\"\n\n2\tz\n3\t"), expected);
        assert_eq!(read("a,b\r1,2\r3,4"), ["1: a|b", "2: 1|2", "3: 3|4"]);
        assert_eq!(read("\n\na,b\n1,2"), ["3: a|b", "4: 1|2"]);
    }

    #[test]
    fn a_line_that_states_the_separator_and_blank_lines_before_the_header_are_none_of_the_rows() {
        let expected = ["2: a|b", "3: 1|x"];
        assert_eq!(read("sep=;\na;b\n1;x\n"), expected);
        assert_eq!(read("SEP=\t\r\na\tb\r\n1\tx\r\n"), expected);
        assert_eq!(read("\"sep=|\"\na|b\n1|x\n"), expected);
        assert_eq!(read("sep=,,\na,b\n1,x\n"), expected);
        assert_eq!(read("sep=;\na,b\n1,x\n"), expected, "the header knows better");
        assert_eq!(read(";;\na;b\n1;x\n"), expected);
        assert_eq!(read("  \na;b\n1;x\n"), expected);
        assert_eq!(read("\n\nsep=;\n\n;\na;b"), ["6: a|b"]);
        assert_eq!(read("a|b\n1|x\n"), ["1: a|b", "2: 1|x"]);
        assert_eq!(read("sepia,b\n1,x\n"), ["1: sepia|b", "2: 1|x"]);
    }

    #[test]
    fn fields_come_without_invisible_characters_and_formulas_around_text() {
        let text = "\u{200b}id,na\u{ad}me\n=\"007\",\u{feff}Zo\u{200b}é\n\"=\"\"08\"\"\",=1\n";
        assert_eq!(read(text), ["1: id|name", "2: 007|Zoé", "3: 08|=1"]);
    }

    #[test]
    fn quotes() {
        assert_eq!(read("a,b\n\"say \"\"hi\"\"\",5\" pipe\n"), ["1: a|b", "2: say \"hi\"|5\" pipe"]);
        assert_eq!(read("\"a;x\",b\n1,2"), ["1: a;x|b", "2: 1|2"]);
    }

    #[test]
    fn a_stray_quote_rejects_only_one_row() {
        assert_eq!(
            read("a,b\n\"1,x\n2,y\n3,z"),
            ["1: a|b", "2! a quote is opened and never closed", "3: 2|y", "4: 3|z"]
        );
        assert_eq!(
            read("a,b\n\"1,x\n2,y\n3,\"z\"\n"),
            ["1: a|b", "2! a quote is opened or closed in the wrong place", "3: 2|y", "4: 3|z"]
        );
        let long = format!("a,b\n\"1,{}\n2,y\n", "x\n".repeat(50_000));
        let found = read(long);
        assert_eq!(found[1], "2! longer than 64 KiB, or a quote is never closed");
        assert_eq!(found.last().unwrap(), "50003: 2|y");
    }

    #[test]
    fn an_overlong_line_is_refused_at_any_chunk_size() {
        let long = format!("a,b\n1,{}\n2,y\n", "x".repeat(3_000_000));
        assert_eq!(read(long), ["1: a|b", "2! longer than 64 KiB, or a quote is never closed", "3: 2|y"]);
    }

    #[test]
    fn an_empty_file_has_no_records() {
        assert!(read("").is_empty());
        assert!(read("\n\r\n").is_empty());
    }
}
