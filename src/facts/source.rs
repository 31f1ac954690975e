//! A file to read, or another stream of bytes, and how its text is to be understood.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use encoding_rs::Encoding;

use super::Error;
use super::time::Days;

/// The format of a file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Ndjson,
}

/// The facts about a file that it does not state itself.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The encoding, if it is neither UTF-8 nor UTF-16.
    pub encoding: Option<&'static Encoding>,
    /// The order of day, month and year in dates, beside ISO 8601.
    pub days: Days,
    /// Pairs of a header and the name of the column that it stands for.
    pub columns: Vec<(String, String)>,
    /// Headers of these pairs that the file must have.
    pub named: Vec<String>,
}

impl Reading {
    /// Finds an encoding by its name, such as `windows-1252`.
    ///
    /// # Errors
    /// Returns a sentence with names that exist.
    pub fn encoding(name: &str) -> Result<&'static Encoding, String> {
        Encoding::for_label(name.trim().as_bytes()).ok_or_else(|| {
            format!("no encoding is called `{name}`: use for example `windows-1252`, `macintosh` or `utf-8`")
        })
    }
}

/// A file to read, or another stream of bytes.
pub struct Source {
    pub(super) name: String,
    pub(super) input: Box<dyn Read + Send>,
    pub(super) format: Option<Format>,
    pub(super) reading: Reading,
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
            Some("csv" | "tsv") => Some(Format::Csv),
            Some("ndjson" | "jsonl") => Some(Format::Ndjson),
            _ => None,
        };
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Self { name, input: Box::new(file), format, reading: Reading::default(), size })
    }

    /// Takes any stream; the format follows from its first bytes.
    pub fn stream(name: &str, input: impl Read + Send + 'static) -> Self {
        let name = name.to_owned();
        Self { name, input: Box::new(input), format: None, reading: Reading::default(), size: None }
    }

    /// Returns the same source, understood by `reading`.
    #[must_use]
    pub fn read_as(self, reading: Reading) -> Self {
        Self { reading, ..self }
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
