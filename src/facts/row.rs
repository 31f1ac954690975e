//! One row of a file: its cells, and the faults that the reader found in it.

use super::columns::{Cell, Column};
use super::time::Days;
use crate::core::domain::Rejection;

/// The text of a cell that cannot be shown as text.
pub(super) const UNREADABLE: &str = "\u{fffd}";

/// The line of a row, and its cells.
pub(super) struct Cells<'a, C> {
    pub(super) line: u64,
    pub(super) all: &'a [Cell<'a, C>],
    /// The faults of cells that hold no text. Such cells are marked as broken.
    pub(super) faults: Vec<Rejection>,
    /// The row as a torn one, for a row whose length only blank fields change. It counts if any cell is wrong.
    pub(super) torn: Option<Torn<'a, C>>,
    pub(super) days: Days,
}

/// A row that was refused before its cells were checked, and the cells that can be read nevertheless.
pub(super) struct Torn<'a, C> {
    pub(super) rejection: Rejection,
    pub(super) pieces: Vec<Piece<'a, C>>,
    pub(super) days: Days,
}

pub(super) type Parts<'a, C> = Result<Cells<'a, C>, Torn<'a, C>>;

/// A cell of a torn row. A field too many or too few moves the fields after it: each is then read twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a, C> {
    /// The place of the column in the header.
    pub(super) place: usize,
    /// The fields were counted from the last one.
    pub(super) from_end: bool,
    pub(super) cell: Cell<'a, C>,
}

impl<'a, C: Copy + PartialEq> Cells<'a, C> {
    /// Returns the first cell of a column.
    pub(super) fn find(&self, is: C) -> Option<&'a Cell<'a, C>> {
        self.all.iter().find(|cell| cell.column == Some(is))
    }

    /// Reads every cell, and returns all faults of the row in the order of its cells, then the columns that it lacks.
    pub(super) fn faults(
        &mut self,
        known: &[Column<C>],
        mut read: impl FnMut(&Cell<'a, C>) -> Result<(), String>,
    ) -> Vec<Rejection> {
        let mut faults = std::mem::take(&mut self.faults);
        for cell in self.all.iter().filter(|cell| !cell.broken) {
            if let Err(reason) = read(cell) {
                faults.push(Rejection::new(self.line, cell.name, cell.text, reason));
            }
        }
        let missing = known.iter().filter(|column| column.required && self.find(column.is).is_none());
        faults.extend(missing.map(|column| Rejection::new(self.line, column.name, "", "missing")));
        if let Some(torn) = self.torn.as_ref().filter(|_| !faults.is_empty()) {
            faults.insert(0, torn.rejection.clone());
        }
        faults
    }

    /// Returns the cells as pieces, from which a refused row is heard.
    pub(super) fn pieces(&mut self) -> Vec<Piece<'a, C>> {
        let cells = self.all;
        let whole = || cells.iter().enumerate().map(|(place, cell)| Piece { place, from_end: false, cell: *cell });
        self.torn.take().map_or_else(|| whole().collect(), |torn| torn.pieces)
    }
}
