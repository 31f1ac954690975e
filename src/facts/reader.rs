//! The reader of one file of either format, as rows of cells.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::columns::{Cell, Column, Columns};
use super::csv::{Csv, Fields, Record};
use super::ndjson::{Lines, Object, Value};
use super::window::Window;
use super::{Error, Interrupted, Row};
use crate::core::domain::Rejection;

/// The limit of bad rows: each is reported, so they must fit in memory.
const MAX_BAD: u64 = 1_000_000;

/// The format of a file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Ndjson,
}

/// A file to read, or another stream of bytes.
pub struct Source {
    name: String,
    input: Box<dyn Read + Send>,
    format: Option<Format>,
    size: Option<u64>,
}

impl Source {
    /// Opens a file; the format follows from `.csv`, `.ndjson` and `.jsonl`, else from the first bytes.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            if metadata.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok((file, metadata)) }
        });
        let (file, metadata) = file.map_err(|source| Error::Read { name: name.clone(), source })?;
        let format = match path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Some(Format::Csv),
            Some("ndjson" | "jsonl") => Some(Format::Ndjson),
            _ => None,
        };
        Ok(Self { name, input: Box::new(file), format, size: metadata.is_file().then_some(metadata.len()) })
    }

    /// Takes any stream; the format follows from its first bytes.
    pub fn stream(name: &str, input: impl Read + Send + 'static) -> Self {
        Self { name: name.to_owned(), input: Box::new(input), format: None, size: None }
    }

    /// Returns the size in bytes, if the source is a file.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Returns the same source, read through `wrap`, for example to count the bytes.
    #[must_use]
    pub fn through(self, wrap: impl FnOnce(Box<dyn Read + Send>) -> Box<dyn Read + Send>) -> Self {
        Self { input: wrap(self.input), ..self }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("format", &self.format).finish_non_exhaustive()
    }
}

/// The line of a row, and its cells.
pub(super) struct Cells<'a, C> {
    pub(super) line: u64,
    pub(super) cells: &'a [Cell<'a, C>],
}

/// A row that was refused before its cells were checked, and the cells that can be read nevertheless.
pub(super) struct Torn<'a, C> {
    pub(super) rejection: Rejection,
    pub(super) pieces: Vec<Piece<'a, C>>,
}

/// A cell of a torn row. A field too many or too few moves the fields after it: each is then read twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a, C> {
    /// The place of the column in the header.
    pub(super) place: usize,
    /// The fields were counted from the last one.
    pub(super) from_end: bool,
    pub(super) cell: Cell<'a, C>,
}

/// Returns the cells of a whole row as pieces.
pub(super) fn pieces_of<'a, C: Copy>(cells: &[Cell<'a, C>]) -> Vec<Piece<'a, C>> {
    cells.iter().enumerate().map(|(place, cell)| Piece { place, from_end: false, cell: *cell }).collect()
}

/// The text of a cell that cannot be shown as text.
const UNREADABLE: &str = "\u{fffd}";

impl<C> Torn<'_, C> {
    fn whole(rejection: Rejection) -> Self {
        Self { rejection, pieces: Vec::new() }
    }
}

type Parts<'a, C> = Result<Cells<'a, C>, Torn<'a, C>>;

/// Passes every row of `source` to `row`, in order, and returns the number of rows.
///
/// `row` returns true if the row was good.
pub(super) fn read<C: Copy + PartialEq>(
    source: Source,
    known: &'static [Column<C>],
    mut row: impl FnMut(u64, Parts<'_, C>) -> Result<bool, Interrupted>,
) -> Result<u64, Error> {
    let Source { name, input, format, .. } = source;
    let mut bad = 0;
    let file = name.clone();
    let mut row = move |line, cells: Parts<'_, C>| {
        let good = row(line, cells).map_err(|Interrupted| Error::Interrupted)?;
        bad += u64::from(!good);
        if bad > MAX_BAD {
            let reason = format!("more than {MAX_BAD} bad rows up to here: this is not the file you mean");
            return Err(Error::Refused { name: file.clone(), line, reason });
        }
        Ok(())
    };
    let failed = |source| Error::Read { name: name.clone(), source };
    let mut window = Window::new(input);
    while window.bytes().len() < 3 && !window.ended() {
        window.more().map_err(failed)?;
    }
    match window.bytes() {
        [0xef, 0xbb, 0xbf, ..] => window.take(3, 0),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Err(Error::Refused { name, line: 1, reason: "the file is UTF-16: save it as UTF-8".to_owned() });
        }
        _ => {}
    }
    window.skip_empty_lines().map_err(failed)?;
    let format = format.unwrap_or_else(|| sniff(window.bytes()));
    match format {
        Format::Csv => {
            let mut csv = Csv::new(window).map_err(failed)?;
            let places = header(&name, &mut csv, known)?;
            csv_rows(&mut csv, &places, &mut row, failed)
        }
        Format::Ndjson => ndjson_rows(&mut Lines::new(window), Columns::new(known), &mut row, failed),
    }
}

fn sniff(bytes: &[u8]) -> Format {
    match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{' | b'[') => Format::Ndjson,
        _ => Format::Csv,
    }
}

/// The columns of a CSV file by position: the name, and the known column if it is one. `None` means a column without a
/// name.
type Places<C> = Vec<Option<(String, Option<C>)>>;

fn header<C: Copy + PartialEq>(file: &str, csv: &mut Csv, known: &'static [Column<C>]) -> Result<Places<C>, Error> {
    let refuse = |line, reason: &str| Err(Error::Refused { name: file.to_owned(), line, reason: reason.to_owned() });
    let record = csv.next().map_err(|source| Error::Read { name: file.to_owned(), source })?;
    let (line, fields) = match record {
        Some(Record::Fields { line, fields }) => (line, fields),
        Some(Record::Broken { line, reason, .. }) => return refuse(line, reason),
        None => return refuse(1, "the file is empty: it needs a header"),
    };
    let mut names = Vec::with_capacity(fields.len());
    for field in fields.iter() {
        match std::str::from_utf8(field) {
            Ok(name) if !name.contains('\0') => names.push(name.trim().to_owned()),
            _ => return refuse(line, "the header is not UTF-8: save the file as UTF-8"),
        }
    }
    let mut columns = Columns::new(known);
    columns.check(file, line, &names)?;
    Ok(names.into_iter().map(|name| (!name.is_empty()).then(|| (name.clone(), columns.find(&name)))).collect())
}

fn csv_rows<C: Copy>(
    csv: &mut Csv,
    places: &Places<C>,
    row: &mut impl FnMut(u64, Parts<'_, C>) -> Result<(), Error>,
    failed: impl Fn(io::Error) -> Error,
) -> Result<u64, Error> {
    let mut read = 0;
    while let Some(record) = csv.next().map_err(&failed)? {
        read += 1;
        match record {
            Record::Broken { line, start, reason } => {
                let rejection = Rejection::new(line, Rejection::ROW, &String::from_utf8_lossy(start), reason);
                row(line, Err(Torn::whole(rejection)))?;
            }
            Record::Fields { line, fields } => match cells(line, fields, places) {
                Ok(cells) => row(line, Ok(Cells { line, cells: &cells }))?,
                Err(torn) => row(line, Err(torn))?,
            },
        }
    }
    Ok(read)
}

fn cells<'a, C: Copy>(line: u64, fields: Fields<'a>, places: &'a Places<C>) -> Result<Vec<Cell<'a, C>>, Torn<'a, C>> {
    if fields.len() != places.len() {
        let start = fields.iter().next().map(String::from_utf8_lossy).unwrap_or_default();
        let reason = format!("the row has {} fields, the header {}", fields.len(), places.len());
        let rejection = Rejection::new(line, Rejection::ROW, &start, reason);
        return Err(Torn { rejection, pieces: pieces(fields, places) });
    }
    let mut cells = Vec::with_capacity(places.len());
    for (field, place) in fields.iter().zip(places) {
        let Some((name, column)) = place else { continue };
        let Ok(text) = std::str::from_utf8(field) else {
            let rejection = Rejection::new(line, name, &String::from_utf8_lossy(field), "not UTF-8");
            return Err(Torn { rejection, pieces: pieces(fields, places) });
        };
        cells.push(Cell { column: *column, name, text, plain: false });
    }
    Ok(cells)
}

/// Reads the fields in the order of the header and, if their number differs, from the last one too.
fn pieces<'a, C: Copy>(fields: Fields<'a>, places: &'a Places<C>) -> Vec<Piece<'a, C>> {
    let fields: Vec<&[u8]> = fields.iter().collect();
    let piece = |place: usize, field: &'a [u8], from_end| {
        let (name, column) = places[place].as_ref()?;
        let text = std::str::from_utf8(field).unwrap_or(UNREADABLE);
        Some(Piece { place, from_end, cell: Cell { column: *column, name, text, plain: false } })
    };
    let from_start = fields.iter().enumerate().take(places.len()).filter_map(|(at, field)| piece(at, field, false));
    let back = fields.iter().rev().zip((0..places.len()).rev()).filter(|_| fields.len() != places.len());
    from_start.chain(back.filter_map(|(field, at)| piece(at, field, true))).collect()
}

fn ndjson_rows<C: Copy + PartialEq>(
    lines: &mut Lines,
    mut columns: Columns<C>,
    row: &mut impl FnMut(u64, Parts<'_, C>) -> Result<(), Error>,
    failed: impl Fn(io::Error) -> Error,
) -> Result<u64, Error> {
    let mut read = 0;
    while let Some(line) = lines.next().map_err(&failed)? {
        read += 1;
        let number = line.number;
        let Some(length) = line.length else {
            row(number, Err(Torn::whole(Rejection::new(number, Rejection::ROW, "", "longer than 64 KiB"))))?;
            continue;
        };
        let bytes = lines.bytes(length);
        match serde_json::from_slice::<Object<'_>>(bytes) {
            Ok(object) => match members(number, &object, &mut columns) {
                Ok(cells) => row(number, Ok(Cells { line: number, cells: &cells }))?,
                Err(torn) => row(number, Err(torn))?,
            },
            Err(error) => {
                let text = String::from_utf8_lossy(bytes);
                let rejection = Rejection::new(number, Rejection::ROW, text.trim(), json_fault(&error));
                row(number, Err(Torn::whole(rejection)))?;
            }
        }
        lines.done(length);
    }
    Ok(read)
}

/// Returns the parser's message without its "at line 1", which is not the line in the file.
fn json_fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    match error.column() {
        0 => format!("not one JSON object a line: {what}"),
        column => format!("not one JSON object a line: {what} at character {column}"),
    }
}

fn members<'a, C: Copy + PartialEq>(
    line: u64,
    object: &'a Object<'_>,
    columns: &mut Columns<C>,
) -> Result<Vec<Cell<'a, C>>, Torn<'a, C>> {
    let mut cells: Vec<Cell<'a, C>> = Vec::with_capacity(object.0.len());
    let mut fault = None;
    let mut take = |column, name: &'a str, value: &'a Value<'_>| {
        cells.push(scalar(line, column, name, value).unwrap_or_else(|rejection| {
            fault.get_or_insert(rejection);
            Cell { column, name, text: UNREADABLE, plain: false }
        }));
    };
    for (name, value) in &object.0 {
        let column = columns.find(name);
        match value {
            Value::Object(nested) if column.is_none() && name == "attributes" => {
                for (name, value) in &nested.0 {
                    take(None, name, value);
                }
            }
            value => take(column, name, value),
        }
    }
    let twice = (1..cells.len()).find(|at| {
        let (this, before) = (&cells[*at], &cells[..*at]);
        before.iter().any(|cell| cell.name == this.name || (this.column.is_some() && cell.column == this.column))
    });
    let twice = twice.map(|at| Rejection::new(line, cells[at].name, cells[at].text, "the column stands there twice"));
    match fault.or(twice) {
        Some(rejection) => Err(Torn { rejection, pieces: pieces_of(&cells) }),
        None => Ok(cells),
    }
}

fn scalar<'a, C>(line: u64, column: Option<C>, name: &'a str, value: &'a Value<'_>) -> Row<Cell<'a, C>> {
    let (text, plain) = match value {
        Value::Empty => ("", false),
        Value::Text(text) => (text.as_ref(), false),
        Value::Plain(text) => (text.as_str(), true),
        Value::Object(_) | Value::List => {
            return Err(Rejection::new(line, name, "", "a list or an object, where a single value belongs"));
        }
    };
    if name.contains('\0') {
        return Err(Rejection::new(line, Rejection::ROW, "", "a column name holds a NUL character"));
    }
    Ok(Cell { column, name, text, plain })
}
