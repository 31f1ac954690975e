//! The only module that writes to the terminal. A closed pipe (`| head`) ends output, never the program.

use std::io::{self, BufWriter, IsTerminal, Write};

use crate::config::Config;

/// Prints one line on standard output.
pub(super) fn line(text: &str) {
    put(&mut io::stdout().lock(), text);
}

/// Returns standard output, for content too large for a string.
pub(super) fn stream() -> impl Write {
    BufWriter::new(io::stdout().lock())
}

/// Prints lines of continuing output; `false` once the reader has closed it.
pub(super) fn watched(text: &str) -> bool {
    writeln!(io::stdout().lock(), "{text}").is_ok()
}

/// Redraws the whole terminal line by line, to avoid flicker; `false` once the terminal is closed.
pub(super) fn screen(text: &str) -> bool {
    let lines = text.replace('\n', "\u{1b}[K\n");
    writeln!(io::stdout().lock(), "\u{1b}[H{lines}\u{1b}[K\u{1b}[J").is_ok()
}

/// Returns true if standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints one line for people on standard error.
pub(super) fn note(text: &str) {
    put(&mut io::stderr().lock(), text);
}

/// Prints an error with its chain of causes. Skips causes that the text already ends with.
pub(super) fn error(error: &anyhow::Error) {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    note(&format!("error: {text}"));
}

/// Returns true if standard output is a terminal and the user did not turn colour off.
pub(super) fn colour(config: &Config) -> bool {
    !config.no_color && is_terminal()
}

fn put(out: &mut impl Write, text: &str) {
    // The reader has closed the output, so there is nowhere to report the error.
    drop(writeln!(out, "{text}"));
}
