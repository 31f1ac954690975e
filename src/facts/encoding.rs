//! The encoding of a file, and files that are no text at all.

use std::io::{self, Cursor, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Error;

/// The number of bytes from which the format is recognised.
const HEAD: usize = 4096;
/// The number of bytes that are decoded at once.
const CHUNK: usize = 64 * 1024;
const AS_CSV: &str = "save the sheet as `CSV UTF-8` (File, Save as) and import that file";

/// Returns the input as UTF-8 without a byte order mark. A byte order mark counts more than `encoding`.
///
/// # Errors
/// Refuses a file that is no text, with the way to make one of it.
pub(super) fn text(
    name: &str,
    mut input: Box<dyn Read + Send>,
    encoding: Option<&'static Encoding>,
) -> Result<Box<dyn Read + Send>, Error> {
    let mut head = Vec::with_capacity(HEAD);
    let taken = input.by_ref().take(HEAD as u64).read_to_end(&mut head);
    taken.map_err(|source| Error::Read { name: name.to_owned(), source })?;
    if let Some(reason) = other_format(&head) {
        return Err(Error::Refused { name: name.to_owned(), line: 1, reason });
    }
    let (encoding, mark) = match Encoding::for_bom(&head) {
        Some(found) => found,
        None => (encoding.or_else(|| unmarked(&head)).unwrap_or(UTF_8), 0),
    };
    let rest = Cursor::new(head.split_off(mark)).chain(input);
    Ok(if encoding == UTF_8 { Box::new(rest) } else { Box::new(Decoded::new(Box::new(rest), encoding)) })
}

/// Recognises UTF-16 without a byte order mark: a header has mostly ASCII letters, so every other byte is zero.
fn unmarked(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [first, 0, third, 0, ..] if *first != 0 && *third != 0 => Some(UTF_16LE),
        [0, second, 0, fourth, ..] if *second != 0 && *fourth != 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// Names the format of a file that is no text.
fn other_format(head: &[u8]) -> Option<String> {
    let holds = |text: &str| head.windows(text.len()).any(|part| part == text.as_bytes());
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let reason = match head {
        [b'P', b'K', 3, 4, ..] if holds("opendocument") => format!("an OpenDocument spreadsheet: {AS_CSV}"),
        [b'P', b'K', 3, 4, ..] if holds("[Content_Types].xml") || holds("xl/") => {
            format!("an Excel workbook (`.xlsx`): {AS_CSV}")
        }
        [b'P', b'K', 3, 4, ..] => {
            format!("a workbook or an archive, not text: {AS_CSV}, or unpack the archive")
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => format!("an old Excel workbook (`.xls`): {AS_CSV}"),
        [0x1f, 0x8b, ..] => "compressed with gzip: unpack it, for example with `gunzip`".to_owned(),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "compressed with zstd: unpack it, for example with `unzstd`".to_owned(),
        [b'%', b'P', b'D', b'F', ..] => "a PDF document: export the rows as CSV instead".to_owned(),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => "UTF-32: save it as UTF-8".to_owned(),
        _ if start.starts_with(b"<") => {
            format!("HTML or XML, though programs may call it `.xls`: open it and {AS_CSV}")
        }
        _ => return None,
    };
    Some(format!("the file is {reason}"))
}

/// Returns the reason why bytes are no text, with their reading in the most frequent other encoding.
pub(super) fn not_utf8(bytes: &[u8]) -> String {
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
    if text.contains(char::is_control) {
        return "not UTF-8: save the file as UTF-8, or name its encoding by `--encoding`".to_owned();
    }
    let shown: String = text.trim().chars().take(60).collect();
    format!(
        "not UTF-8: in Windows-1252 it reads `{shown}`; save the file as `CSV UTF-8`, or import it with \
         `--encoding windows-1252`"
    )
}

/// A stream that is decoded while it is read.
struct Decoded {
    input: Box<dyn Read + Send>,
    decoder: Decoder,
    raw: Vec<u8>,
    /// The part of `raw` that is not decoded yet.
    from: usize,
    to: usize,
    ended: bool,
    /// The text that did not fit in the caller's buffer.
    text: Vec<u8>,
    given: usize,
}

impl Decoded {
    fn new(input: Box<dyn Read + Send>, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_without_bom_handling();
        Self { input, decoder, raw: vec![0; CHUNK], from: 0, to: 0, ended: false, text: Vec::new(), given: 0 }
    }
}

impl Read for Decoded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            let last = if self.from == self.to {
                (self.from, self.to) = (0, self.input.read(&mut self.raw)?);
                self.to == 0
            } else {
                false
            };
            self.text.resize(CHUNK, 0);
            let raw = &self.raw[self.from..self.to];
            let (result, read, written, _) = self.decoder.decode_to_utf8(raw, &mut self.text, last);
            self.from += read;
            self.text.truncate(written);
            self.given = 0;
            self.ended = last && result == CoderResult::InputEmpty;
        }
        let rest = &self.text[self.given..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}
