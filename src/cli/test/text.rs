//! Test results for people: one line per test, then the failures, then the total.

use std::collections::HashMap;

use super::ran::Ran;
use crate::cli::table::{Tone, counted, one_line, paint};
use crate::core::diagnostic::text;
use crate::core::manifest::Sources;
use crate::time_machine::test::{Failure, Happened, Report, Subject};

pub(super) fn line(report: &Report, colour: bool) -> String {
    if report.failures.is_empty() {
        format!("{}   {}", paint("ok", Tone::Good, colour), report.name)
    } else {
        format!("{} {}", paint("FAIL", Tone::Bad, colour), report.name)
    }
}

/// Renders every failure, and the total.
pub(super) fn findings(all: &[Ran], sources: &Sources, colour: bool) -> String {
    let bytes: HashMap<&str, &[u8]> = sources.files.iter().map(|file| (&*file.path, &*file.bytes)).collect();
    let mut text = String::new();
    for ran in all.iter().filter(|ran| !ran.is_ok()) {
        let Report { name, failures, .. } = &ran.report;
        for failure in failures {
            text += &format!("\n{}\n\n", paint(&format!("test {name}"), Tone::Faint, colour));
            text += &failure_text(failure, &bytes, colour);
        }
    }
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let failed = all.iter().filter(|ran| !ran.is_ok()).count();
    let passed = all.len() - failed;
    format!("{text}\n{}: {passed} passed, {failed} failed", counted(count(all.len()), "test"))
}

/// Renders one failure: its place, the expected and found values, and the events.
pub(super) fn failure_text(failure: &Failure, bytes: &HashMap<&str, &[u8]>, colour: bool) -> String {
    let mut text = text::render(&failure.finding, |path| bytes.get(path).copied(), colour) + "\n";
    if !failure.diff.is_empty() {
        text.push('\n');
    }
    for line in &failure.diff {
        let tone = match line.trim_start().chars().next() {
            Some('-') => Tone::Bad,
            Some('+') => Tone::Good,
            _ => Tone::Plain,
        };
        text += &format!("  {}\n", paint(&one_line(line), tone, colour));
    }
    let mut about: Option<&Subject> = None;
    for event in &failure.events {
        if about != Some(&event.to) {
            text += &format!("\n  what happened to {}\n", subject(&event.to));
            about = Some(&event.to);
        }
        text += &format!("    {}  {}\n", when(event), one_line(&event.what));
    }
    text
}

pub(super) fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Person(id) => format!("`{id}`"),
        Subject::Run { campaign, account } => format!("`{campaign}` for `{account}`"),
    }
}

/// Renders a time to the second, in UTC; the final state has a label of the same width.
fn when(event: &Happened) -> String {
    event.at.map_or(format!("{:20}", "in the end"), |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}
