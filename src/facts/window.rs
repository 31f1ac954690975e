//! A window that moves over a stream.

use std::io::{self, Read};

/// The bytes requested in one read.
const CHUNK: usize = 512 * 1024;

/// The bytes of a stream that were read and not yet taken, with the line on which they begin.
pub(super) struct Window {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    taken: usize,
    filled: usize,
    ended: bool,
    line: u64,
}

impl Window {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input, buffer: vec![0; CHUNK], taken: 0, filled: 0, ended: false, line: 1 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.taken..self.filled]
    }

    /// Returns true if nothing follows the bytes in [`Self::bytes`].
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Returns the line of the first byte, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Reads more bytes.
    pub(super) fn more(&mut self) -> io::Result<()> {
        if self.taken > 0 {
            self.buffer.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        if self.buffer.len() - self.filled < CHUNK / 2 {
            self.buffer.resize(self.filled + CHUNK, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(read) => {
                    self.filled += read;
                    self.ended = read == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves past `count` bytes that contain `lines` line ends.
    pub(super) fn take(&mut self, count: usize, lines: u64) {
        self.taken += count;
        self.line += lines;
    }

    /// Moves to the next line, however long this one is.
    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(at) = self.bytes().iter().position(|b| *b == b'\n') {
                self.take(at + 1, 1);
                return Ok(());
            }
            self.take(self.bytes().len(), 0);
            if self.ended {
                return Ok(());
            }
            self.more()?;
        }
    }

    /// Moves past empty lines.
    pub(super) fn skip_empty_lines(&mut self) -> io::Result<()> {
        loop {
            match self.bytes() {
                [b'\r', b'\n', ..] => self.take(2, 1),
                [b'\n', ..] | [b'\r', _, ..] => self.take(1, 1),
                [] | [b'\r'] if !self.ended => self.more()?,
                [b'\r'] => self.take(1, 0),
                _ => return Ok(()),
            }
        }
    }
}
