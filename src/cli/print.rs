//! The only module that writes to the terminal. A closed pipe (`| head`) ends output, never the program. Any other
//! failure, such as a full disk, fails the command at its end: its output is incomplete.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::OnceLock;

use anyhow::anyhow;

use crate::config::Config;

/// The first failure to write standard output, other than a closed pipe.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Prints one line on standard output.
pub(super) fn line(text: &str) {
    note_failure(writeln!(io::stdout().lock(), "{text}"));
}

/// Writes what is still buffered, and fails if standard output could not be written.
pub(super) fn finish() -> anyhow::Result<()> {
    note_failure(io::stdout().lock().flush());
    match FAILED.get() {
        None => Ok(()),
        Some(error) => Err(anyhow!("the output is incomplete: cannot write to standard output: {error}")),
    }
}

/// Keeps the first failure. Returns false after any.
fn note_failure(written: io::Result<()>) -> bool {
    if let Err(error) = written {
        if error.kind() != io::ErrorKind::BrokenPipe {
            FAILED.get_or_init(|| error);
        }
        return false;
    }
    true
}

/// Returns standard output, for content too large for a string.
pub(super) fn stream() -> impl Write {
    BufWriter::new(io::stdout().lock())
}

/// Prints lines of continuing output; `false` once the reader has closed it.
pub(super) fn watched(text: &str) -> bool {
    note_failure(writeln!(io::stdout().lock(), "{text}"))
}

/// Redraws the whole terminal line by line, to avoid flicker; `false` once the terminal is closed.
pub(super) fn screen(text: &str) -> bool {
    let lines = text.replace('\n', "\u{1b}[K\n");
    note_failure(writeln!(io::stdout().lock(), "\u{1b}[H{lines}\u{1b}[K\u{1b}[J"))
}

/// Returns true if standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints one line for people on standard error.
pub(super) fn note(text: &str) {
    // There is nowhere else to report that nobody reads this.
    drop(writeln!(io::stderr().lock(), "{text}"));
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
