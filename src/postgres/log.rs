//! The log of a server and its keeper, which shows why a start failed.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};

use super::Error;
use super::place::Place;

/// The size beyond which the next start empties the log.
const MOST_BYTES: u64 = 10 << 20;

/// The number of last lines that an error shows.
const TAIL_LINES: usize = 10;

impl Place {
    pub(super) fn log_bytes(&self) -> u64 {
        fs::symlink_metadata(self.log()).map_or(0, |log| log.len())
    }

    /// Empties a long log. Only a process that starts the server may do so, because others hold positions in the log.
    pub(super) fn trim_log(&self) -> Result<(), Error> {
        let log = self.open(&self.log())?;
        if self.log_bytes() > MOST_BYTES { log.set_len(0).map_err(Error::io("empty", &self.log())) } else { Ok(()) }
    }

    /// Returns the log after the first `bytes`.
    pub(super) fn log_since(&self, bytes: u64) -> String {
        let read = || -> io::Result<String> {
            let mut log = self.open(&self.log()).map_err(io::Error::other)?;
            log.seek(SeekFrom::Start(bytes))?;
            let mut said = Vec::new();
            log.take(MOST_BYTES).read_to_end(&mut said)?;
            Ok(String::from_utf8_lossy(&said).into_owned())
        };
        read().unwrap_or_default()
    }

    /// Returns the error that shows the end of the log.
    pub(super) fn not_ready(&self, bytes: u64) -> Error {
        let said = self.log_since(bytes);
        let lines: Vec<_> = said.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n  ");
        Error::NotReady { log: self.log(), tail }
    }
}
