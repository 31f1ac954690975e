//! CSV files, record by record, with the line on which each record begins.
//!
//! `csv-core` splits the fields, but this module frames the records. It must name the right line after blank lines and
//! CRLF, and must bound its memory. A stray quote must not swallow the following rows: a senseless record is given up
//! at the end of its first line.

use std::io;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::window::Window;

/// The length limit of a record, in bytes. A longer one most likely has an unclosed quote.
const MAX_RECORD: usize = 64 * 1024;
const MAX_FIELDS: usize = 1000;

/// One record, or its fault.
#[derive(Debug)]
pub(super) enum Record<'a> {
    Fields { line: u64, fields: Fields<'a> },
    Broken { line: u64, start: &'a [u8], reason: &'static str },
}

/// The unquoted fields of a record.
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
    /// The number of fields in the header. A record over several lines with another number has a stray quote.
    width: Option<usize>,
}

enum Framed {
    Record { bytes: usize, lines: u64, text: usize, fields: usize },
    Broken(&'static str),
    End,
}

impl Csv {
    /// Starts at the header, whose separator (`,` `;` or tab) applies to the file.
    pub(super) fn new(mut window: Window) -> io::Result<Self> {
        window.skip_empty_lines()?;
        while !window.ended() && !window.bytes().contains(&b'\n') && window.bytes().len() < MAX_RECORD {
            window.more()?;
        }
        let core = ReaderBuilder::new().delimiter(separator(window.bytes())).build();
        Ok(Self { window, core, text: vec![0; MAX_RECORD], ends: vec![0; MAX_FIELDS], width: None })
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
                let fields = Fields { text: &self.text[..text], ends: &self.ends[..fields] };
                Ok(Some(Record::Fields { line, fields }))
            }
            Framed::Broken(reason) => self.give_up(line, reason),
        }
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

/// Returns the separator that the header uses most, outside quotes.
fn separator(bytes: &[u8]) -> u8 {
    let header = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
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
    fn lines_are_those_of_the_file() {
        let expected = ["1: a|b", "2: 1|x\ny", "5: 2|z", "6: 3|"];
        assert_eq!(read("a,b\n1,\"x\ny\"\n\n2,z\n3,\n"), expected);
        assert_eq!(read("a,b\r\n1,\"x\ny\"\r\n\r\n2,z\r\n3,"), expected);
        assert_eq!(read("a;b\n1;\"x\ny\"\n\n2;z\n3;"), expected);
        assert_eq!(read("a\tb\n1\t\"x\ny\"\n\n2\tz\n3\t"), expected);
        assert_eq!(read("a,b\r1,2\r3,4"), ["1: a|b", "2: 1|2", "3: 3|4"]);
        assert_eq!(read("\n\na,b\n1,2"), ["3: a|b", "4: 1|2"]);
    }

    #[test]
    fn quotes() {
        assert_eq!(read("a,b\n\"say \"\"hi\"\"\",5\" pipe\n"), ["1: a|b", "2: say \"hi\"|5\" pipe"]);
        assert_eq!(read("\"a;x\",b\n1,2"), ["1: a;x|b", "2: 1|2"]);
    }

    #[test]
    fn a_stray_quote_costs_one_row() {
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
    fn a_long_line_is_refused_whatever_the_chunks() {
        let long = format!("a,b\n1,{}\n2,y\n", "x".repeat(3_000_000));
        assert_eq!(read(long), ["1: a|b", "2! longer than 64 KiB, or a quote is never closed", "3: 2|y"]);
    }

    #[test]
    fn nothing_in_nothing_out() {
        assert!(read("").is_empty());
        assert!(read("\n\r\n").is_empty());
    }
}
