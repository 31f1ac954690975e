//! The reader of snapshot files, which loads them into a database.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::Deserialize;
use thiserror::Error;

use super::{FORMAT, Head, KIND};
use crate::store;
use crate::store::{Arriving, Store};

#[derive(Debug, Error)]
pub enum LoadError {
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    #[error("it is not an exported state: its first line is not that of one")]
    NotAState,
    #[error("a newer relancectl wrote it ({version}): use that one")]
    Newer { version: String },
    #[error(
        "relancectl {version} wrote it, whose database is not that of this relancectl, {}: export it again with this one",
        env!("CARGO_PKG_VERSION")
    )]
    OtherSchema { version: String },
    #[error("line {line} is not one of an exported state")]
    Line { line: usize },
    #[error("it was cut off: line {line} is its last, and is not the one that counts the rows")]
    CutOff { line: usize },
    #[error("it has {found} rows of `{table}`, and its last line says {counted}")]
    Count { table: String, counted: u64, found: u64 },
    #[error("line {line} cannot be loaded")]
    Rows { line: usize, source: store::Error },
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A snapshot file whose header was read and accepted.
#[derive(Debug)]
pub struct Reader<R> {
    pub head: Head,
    input: R,
    /// The number of the last line read.
    line: usize,
}

/// A line after the header; the database parses its rows.
#[derive(Deserialize)]
struct Line {
    table: Option<String>,
    counts: Option<BTreeMap<String, u64>>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header and refuses a file that this program cannot load.
    pub fn new(mut input: R) -> Result<Self, LoadError> {
        /// The fields that the header has in every version of the format.
        #[derive(Deserialize)]
        struct Written {
            format: u32,
            kind: String,
            relance: String,
        }
        let mut text = Vec::new();
        // The size is limited because a file of another kind may consist of one huge line.
        io::Read::take(&mut input, 1 << 20).read_until(b'\n', &mut text)?;
        let written: Option<Written> = serde_json::from_slice(&text).ok();
        let Some(Written { format, relance: version, .. }) = written.filter(|found| found.kind == KIND) else {
            return Err(LoadError::NotAState);
        };
        if format > FORMAT {
            return Err(LoadError::Newer { version });
        }
        let head: Head = serde_json::from_slice(&text).map_err(|_| LoadError::NotAState)?;
        if head.schema != Store::schema_version() {
            return Err(LoadError::OtherSchema { version });
        }
        Ok(Self { head, input, line: 1 })
    }

    /// Fills `store`, which must be migrated and empty.
    pub async fn load(mut self, store: &Store) -> Result<(), LoadError> {
        let mut arriving = store.arriving().await?;
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        let mut text = String::new();
        loop {
            text.clear();
            self.line += 1;
            if self.input.read_line(&mut text)? == 0 {
                return Err(LoadError::CutOff { line: self.line - 1 });
            }
            let line = self.line;
            match serde_json::from_str(&text) {
                Ok(Line { table: Some(table), counts: None }) => {
                    let rows = rows(&mut arriving, &table, &text, line).await?;
                    *found.entry(table).or_default() += rows;
                }
                Ok(Line { table: None, counts: Some(counts) }) => {
                    compare(&counts, &found)?;
                    break;
                }
                // Only the last line can be incomplete.
                Err(_) if !text.ends_with('\n') => return Err(LoadError::CutOff { line }),
                Ok(_) | Err(_) => return Err(LoadError::Line { line }),
            }
        }
        Ok(arriving.finish().await?)
    }
}

async fn rows(arriving: &mut Arriving, table: &str, text: &str, line: usize) -> Result<u64, LoadError> {
    let rows = arriving.rows(table, text).await.map_err(|source| LoadError::Rows { line, source })?;
    rows.ok_or(LoadError::Line { line })
}

fn compare(counts: &BTreeMap<String, u64>, found: &BTreeMap<String, u64>) -> Result<(), LoadError> {
    let of = |rows: &BTreeMap<String, u64>, table: &String| rows.get(table).copied().unwrap_or_default();
    let wrong = counts.keys().chain(found.keys()).find(|table| of(counts, table) != of(found, table));
    wrong.map_or(Ok(()), |table| {
        let (counted, found) = (of(counts, table), of(found, table));
        Err(LoadError::Count { table: table.clone(), counted, found })
    })
}
