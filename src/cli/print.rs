//! The only place that writes to the terminal. A closed pipe (`| head`) ends output, never the program.

use std::io::{self, BufWriter, IsTerminal, Write};

use crate::config::Config;

/// Prints one line on standard output.
pub(super) fn line(text: &str) {
    put(&mut io::stdout().lock(), text);
}

/// Standard output, for what is too much for a string.
pub(super) fn stream() -> impl Write {
    BufWriter::new(io::stdout().lock())
}

/// Prints lines of something that goes on; `false` when nobody reads any more.
pub(super) fn watched(text: &str) -> bool {
    writeln!(io::stdout().lock(), "{text}").is_ok()
}

/// Draws over the whole terminal, line by line so that it does not flicker; `false` when it is gone.
pub(super) fn screen(text: &str) -> bool {
    let lines = text.replace('\n', "\u{1b}[K\n");
    writeln!(io::stdout().lock(), "\u{1b}[H{lines}\u{1b}[K\u{1b}[J").is_ok()
}

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints one line for people on standard error.
pub(super) fn note(text: &str) {
    put(&mut io::stderr().lock(), text);
}

/// Prints an error with the chain of its causes, each said once: some repeat what caused them.
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

/// Whether standard output takes colour: a terminal, and nobody asked for none.
pub(super) fn colour(config: &Config) -> bool {
    !config.no_color && is_terminal()
}

fn put(out: &mut impl Write, text: &str) {
    // Nobody reads any more: nothing to tell, nobody to tell it to.
    drop(writeln!(out, "{text}"));
}
