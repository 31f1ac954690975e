//! Tables for people: no lines, headers in capitals, numbers right-aligned, colour only where it has a meaning.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement};

use crate::core::domain::{Timestamp, rough};

/// Characters between two columns.
const GAP: u16 = 2;

/// Rows of equal length under a header.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, CellAlignment)>,
    rows: Vec<Vec<Cell>>,
}

/// A text with its tone.
#[derive(Debug)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

/// The meaning of a text, which sets its colour on terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// Healthy.
    Good,
    /// In progress or waiting.
    Waiting,
    /// In need of attention.
    Bad,
    /// Finished or unimportant.
    Faint,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { columns: Vec::new(), rows: Vec::new() }
    }

    /// Adds columns of text.
    pub(super) fn text<const N: usize>(mut self, headers: [&'static str; N]) -> Self {
        self.columns.extend(headers.map(|header| (header, CellAlignment::Left)));
        self
    }

    /// Adds columns of numbers.
    pub(super) fn numbers<const N: usize>(mut self, headers: [&'static str; N]) -> Self {
        self.columns.extend(headers.map(|header| (header, CellAlignment::Right)));
        self
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Renders the table, without a final line break.
    pub(super) fn render(&self, colour: bool) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(self.columns.iter().map(|(header, alignment)| {
            let cell = comfy_table::Cell::new(header).set_alignment(*alignment);
            if colour { cell.add_attribute(Attribute::Bold) } else { cell }
        }));
        for row in &self.rows {
            table.add_row(row.iter().zip(&self.columns).map(|(cell, (_, alignment))| cell.dressed(*alignment)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n")
    }
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }

    /// Makes a count, which is faint at zero.
    pub(super) fn count(n: i64) -> Self {
        Self::new(thousands(n), if n == 0 { Tone::Faint } else { Tone::Plain })
    }

    /// Makes a count of faults: red above zero, faint at zero.
    pub(super) fn faults(n: i64) -> Self {
        Self::new(thousands(n), if n == 0 { Tone::Faint } else { Tone::Bad })
    }

    /// Makes a text that may be missing.
    pub(super) fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or_else(|| Self::new("-", Tone::Faint), |text| Self::new(text, Tone::Plain))
    }

    /// Renders the cell outside a table.
    pub(super) fn painted(&self, colour: bool) -> String {
        paint(&self.text, self.tone, colour)
    }

    fn dressed(&self, alignment: CellAlignment) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(one_line(&self.text)).set_alignment(alignment);
        match self.tone {
            Tone::Plain => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Waiting => cell.fg(Color::Yellow),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Faint => cell.fg(Color::DarkGrey),
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Renders `text` in the colour of `tone`.
pub(super) fn paint(text: &str, tone: Tone, colour: bool) -> String {
    let code = match tone {
        _ if !colour => return text.to_owned(),
        Tone::Plain => return text.to_owned(),
        Tone::Good => 32,
        Tone::Waiting => 33,
        Tone::Bad => 31,
        Tone::Faint => 90,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Renders `12,345`.
pub(super) fn thousands(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::from(if n < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Renders `1 run`, `2 runs`.
pub(super) fn counted(n: i64, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", thousands(n))
}

/// Renders `1 person`, `2 people`.
pub(super) fn people(n: i64) -> String {
    if n == 1 { "1 person".to_owned() } else { format!("{} people", thousands(n)) }
}

/// Converts a count to the type that tables take.
pub(super) fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Renders `2026-11-30 09:12`, in UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

/// Renders the distance from `now`: `in 5h`, `20m ago`, `now`.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
    match (at - now).num_seconds() {
        0 => "now".to_owned(),
        1.. => format!("in {}", rough(at - now)),
        _ => format!("{} ago", rough(now - at)),
    }
}

/// Cuts `text` to at most `most` characters, with an ellipsis as the last one if anything was cut off.
pub(super) fn shorten(text: &str, most: usize) -> String {
    let text = one_line(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Puts `text` on one line, without control characters that would affect the terminal: texts come from imports.
pub(super) fn one_line(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => '⏎',
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.trim_end().replace("\r\n", "\n").chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::{Cell, Table, Tone, one_line, relative, shorten, thousands};
    use crate::core::domain::Timestamp;

    fn table() -> Table {
        let mut table = Table::new().text(["NAME", "PHASE"]).numbers(["SENT"]).text(["NOTE"]);
        table.row([Cell::from("Zoé"), Cell::new("active", Tone::Good), Cell::count(12_345), Cell::maybe(None::<&str>)]);
        table.row([Cell::from("long enough"), Cell::new("paused", Tone::Waiting), Cell::count(0), Cell::from("x")]);
        table
    }

    #[test]
    fn a_table_is_drawn_without_lines() {
        insta::assert_snapshot!(table().render(false), @"
            NAME         PHASE     SENT  NOTE
            Zoé          active  12,345  -
            long enough  paused       0  x
            ");
    }

    #[test]
    fn colour_does_not_move_columns() {
        let coloured = table().render(true);
        assert!(coloured.contains("\u{1b}[38;5;10mactive") || coloured.contains("\u{1b}["), "{coloured:?}");
        let mut plain = String::new();
        for (i, part) in coloured.split('\u{1b}').enumerate() {
            plain += if i == 0 { part } else { part.split_once('m').map_or("", |(_, text)| text) };
        }
        let trimmed: Vec<&str> = plain.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n"), table().render(false));
    }

    #[test]
    fn numbers_times_and_texts_are_formatted_for_people() {
        let now: Timestamp = "2026-11-30T09:12:00Z".parse().unwrap();
        assert_eq!([0, 999, 1_000, -1_234_567].map(thousands), ["0", "999", "1,000", "-1,234,567"]);
        let at = |text: &str| relative(text.parse().unwrap(), now);
        assert_eq!(at("2026-11-30T09:12:30Z"), "in 30s");
        assert_eq!(at("2026-11-30T08:50:00Z"), "22m ago");
        assert_eq!(at("2026-12-01T09:11:00Z"), "in 23h");
        assert_eq!(at("2026-12-05T09:11:00Z"), "in 4d");
        assert_eq!(at("2026-11-30T09:12:00Z"), "now");
        assert_eq!(shorten("Bonjour\nPaul, ça va ?", 12), "Bonjour⏎Pau…");
        assert_eq!(one_line("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb");
    }
}
