//! The reader of one file of either format, as rows of cells.

use std::io;

use super::columns::{Cell, Column, Columns, Place, key};
use super::csv::{Csv, Fields, Record};
use super::encoding;
use super::ndjson::{Lines, Object, Value};
use super::row::{Cells, Parts, Piece, Torn, UNREADABLE};
use super::source::{Format, Reading, Source};
use super::time::Days;
use super::window::Window;
use super::{Error, Interrupted};
use crate::core::diagnostic::did_you_mean;
use crate::core::domain::Rejection;

/// The limit of faults: each is reported, so they must fit in memory.
const MAX_FAULTS: usize = 1_000_000;

/// Passes every row of `source` to `row`, in order, and returns the number of rows. Blank rows are skipped.
///
/// `row` returns the number of faults in the row.
pub(super) fn read<C: Copy + PartialEq>(
    source: Source,
    known: &'static [Column<C>],
    mut row: impl FnMut(Parts<'_, C>) -> Result<usize, Interrupted>,
) -> Result<u64, Error> {
    let Source { name, input, format, reading, .. } = source;
    let Reading { encoding, days, columns, named } = reading;
    let mut faults = 0;
    let file = name.clone();
    let mut row = move |line, cells: Parts<'_, C>| {
        faults += row(cells).map_err(|Interrupted| Error::Interrupted)?;
        if faults > MAX_FAULTS {
            let reason = format!("more than {MAX_FAULTS} faults up to here: this is not the file you mean");
            return Err(Error::Refused { name: file.clone(), line, reason });
        }
        Ok(())
    };
    let input = encoding::text(&name, input, encoding)?;
    let failed = |source| Error::Read { name: name.clone(), source };
    let mut window = Window::new(input);
    window.skip_empty_lines().map_err(failed)?;
    let format = format.unwrap_or_else(|| sniff(window.bytes()));
    let columns = Columns::new(known, &columns);
    match format {
        Format::Csv => {
            let mut csv = Csv::new(window).map_err(failed)?;
            let places = header(&name, &mut csv, &columns, &named)?;
            csv_rows(&mut csv, &places, days, &mut row, failed)
        }
        Format::Ndjson => ndjson_rows(&mut Lines::new(window), columns, days, &mut row, failed),
    }
}

fn sniff(bytes: &[u8]) -> Format {
    match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{' | b'[') => Format::Ndjson,
        _ => Format::Csv,
    }
}

/// The columns of a CSV file by position. `None` means a column without a name.
type Places<C> = Vec<Option<Place<C>>>;

fn header<C: Copy + PartialEq>(
    file: &str,
    csv: &mut Csv,
    columns: &Columns<C>,
    renamed: &[String],
) -> Result<Places<C>, Error> {
    let refuse = |line, reason: String| Err(Error::Refused { name: file.to_owned(), line, reason });
    let record = csv.next().map_err(|source| Error::Read { name: file.to_owned(), source })?;
    let (line, fields) = match record {
        Some(Record::Fields { line, fields }) => (line, fields),
        Some(Record::Broken { line, reason, .. }) => return refuse(line, reason.to_owned()),
        None => return refuse(1, "the file is empty: it needs a header".to_owned()),
    };
    let mut names = Vec::with_capacity(fields.len());
    for field in fields.iter() {
        match std::str::from_utf8(field) {
            Ok(name) if name.contains('\0') => return refuse(line, "the header holds a NUL character".to_owned()),
            Ok(name) => names.push(name.trim().to_owned()),
            Err(_) => return refuse(line, format!("the header is {}", encoding::not_utf8(field))),
        }
    }
    if let Some(absent) = renamed.iter().find(|header| !names.iter().any(|name| key(name) == key(header))) {
        let help = did_you_mean(absent, names.iter().map(String::as_str)).unwrap_or_default();
        return refuse(
            line,
            format!("the header has no `{absent}`, which `--map` names; {help}").trim_end_matches("; ").to_owned(),
        );
    }
    columns.check(file, line, &names)?;
    Ok(names.iter().map(|name| (!name.is_empty()).then(|| columns.place(name))).collect())
}

fn csv_rows<C: Copy + PartialEq>(
    csv: &mut Csv,
    places: &Places<C>,
    days: Days,
    row: &mut impl FnMut(u64, Parts<'_, C>) -> Result<(), Error>,
    failed: impl Fn(io::Error) -> Error,
) -> Result<u64, Error> {
    let mut read = 0;
    while let Some(record) = csv.next().map_err(&failed)? {
        match record {
            Record::Broken { line, start, reason } => {
                let rejection = Rejection::new(line, Rejection::ROW, &String::from_utf8_lossy(start), reason);
                row(line, Err(Torn { rejection, pieces: Vec::new(), days }))?;
            }
            Record::Fields { fields, .. } if fields.iter().all(is_blank) => continue,
            Record::Fields { line, fields } if is_whole(fields, places) => {
                let (cells, faults) = cells(line, fields, places);
                let torn = (fields.len() != places.len()).then(|| torn(line, fields, places, days));
                row(line, Ok(Cells { line, all: &cells, faults, torn, days }))?;
            }
            Record::Fields { line, fields } => row(line, Err(torn(line, fields, places, days)))?,
        }
        read += 1;
    }
    Ok(read)
}

/// Returns true if only blank fields are too many, and only fields of columns without a name are missing: spreadsheets
/// end rows at different columns.
fn is_whole<C>(fields: Fields<'_>, places: &Places<C>) -> bool {
    fields.iter().skip(places.len()).all(is_blank) && places.iter().skip(fields.len()).all(Option::is_none)
}

fn is_blank(field: &[u8]) -> bool {
    std::str::from_utf8(field).is_ok_and(|text| text.trim().is_empty())
}

fn torn<'a, C: Copy>(line: u64, fields: Fields<'a>, places: &'a Places<C>, days: Days) -> Torn<'a, C> {
    let start = fields.iter().next().map(String::from_utf8_lossy).unwrap_or_default();
    let reason = format!("the row has {} fields, the header {}", fields.len(), places.len());
    let rejection = Rejection::new(line, Rejection::ROW, &start, reason);
    Torn { rejection, pieces: pieces(fields, places), days }
}

/// Returns the cells of a row, and the faults of those that hold no text.
fn cells<'a, C: Copy>(line: u64, fields: Fields<'a>, places: &'a Places<C>) -> (Vec<Cell<'a, C>>, Vec<Rejection>) {
    let mut cells = Vec::with_capacity(places.len());
    let mut faults = Vec::new();
    for (field, place) in fields.iter().zip(places) {
        let Some(place) = place else { continue };
        let cell = cell(field, place);
        if cell.broken {
            let reason = encoding::not_utf8(field);
            faults.push(Rejection::new(line, cell.name, &String::from_utf8_lossy(field), reason));
        }
        cells.push(cell);
    }
    (cells, faults)
}

fn cell<'a, C: Copy>(field: &'a [u8], place: &'a Place<C>) -> Cell<'a, C> {
    let text = std::str::from_utf8(field);
    let (text, broken) = (text.unwrap_or(UNREADABLE), text.is_err());
    Cell { column: place.column, name: &place.name, text, plain: false, broken }
}

/// Reads the fields in the order of the header and, if their number differs, from the last one too.
fn pieces<'a, C: Copy>(fields: Fields<'a>, places: &'a Places<C>) -> Vec<Piece<'a, C>> {
    let fields: Vec<&[u8]> = fields.iter().collect();
    let piece = |place: usize, field: &'a [u8], from_end| {
        let cell = cell(field, places[place].as_ref()?);
        Some(Piece { place, from_end, cell })
    };
    let from_start = fields.iter().enumerate().take(places.len()).filter_map(|(at, field)| piece(at, field, false));
    let back = fields.iter().rev().zip((0..places.len()).rev()).filter(|_| fields.len() != places.len());
    from_start.chain(back.filter_map(|(field, at)| piece(at, field, true))).collect()
}

fn ndjson_rows<C: Copy + PartialEq>(
    lines: &mut Lines,
    mut columns: Columns<C>,
    days: Days,
    row: &mut impl FnMut(u64, Parts<'_, C>) -> Result<(), Error>,
    failed: impl Fn(io::Error) -> Error,
) -> Result<u64, Error> {
    let torn = |rejection| Torn { rejection, pieces: Vec::new(), days };
    let mut read = 0;
    while let Some(line) = lines.next().map_err(&failed)? {
        read += 1;
        let number = line.number;
        let Some(length) = line.length else {
            row(number, Err(torn(Rejection::new(number, Rejection::ROW, "", "longer than 64 KiB"))))?;
            continue;
        };
        let bytes = lines.bytes(length);
        match serde_json::from_slice::<Object<'_>>(bytes) {
            Ok(object) => {
                let (cells, faults) = members(number, &object, &mut columns);
                row(number, Ok(Cells { line: number, all: &cells, faults, torn: None, days }))?;
            }
            Err(error) => {
                let text = String::from_utf8_lossy(bytes);
                row(number, Err(torn(Rejection::new(number, Rejection::ROW, text.trim(), json_fault(&error)))))?;
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

/// Returns the cells of an object, and the faults of those that are no single value or stand there twice.
fn members<'a, C: Copy + PartialEq>(
    line: u64,
    object: &'a Object<'_>,
    columns: &mut Columns<C>,
) -> (Vec<Cell<'a, C>>, Vec<Rejection>) {
    let mut cells: Vec<Cell<'a, C>> = Vec::with_capacity(object.0.len());
    let mut faults = Vec::new();
    let mut take = |column, name: &'a str, value: &'a Value<'_>| {
        let (text, plain, fault) = match value {
            _ if name.contains('\0') => (UNREADABLE, false, Some("the name of the column holds a NUL character")),
            Value::Empty => ("", false, None),
            Value::Text(text) => (text.as_ref(), false, None),
            Value::Plain(text) => (text.as_str(), true, None),
            Value::Object(_) | Value::List => {
                (UNREADABLE, false, Some("a list or an object, where a single value belongs"))
            }
        };
        let cell = Cell { column, name, text, plain, broken: fault.is_some() };
        let is_same = |before: &Cell<'a, C>| before.name == name || (column.is_some() && before.column == column);
        let twice = cells.iter().any(is_same).then_some("the column stands there twice");
        let shown = if cell.broken { "" } else { text };
        faults.extend(fault.or(twice).map(|reason| Rejection::new(line, name, shown, reason)));
        cells.push(cell);
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
    (cells, faults)
}
