//! Test results in the `JUnit` XML format, which every CI reads.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use super::ran::Ran;
use super::text::failure_text;
use crate::core::diagnostic::{Diagnostic, Place};
use crate::core::manifest::{Checked, Sources};

/// A test case: its place, its duration and its failures, each as one sentence and in full.
struct Case<'a> {
    name: &'a str,
    place: &'a Place,
    took: Duration,
    wrong: Vec<(&'a str, String)>,
}

/// Renders the tests that were run.
pub(super) fn render(all: &[Ran], sources: &Sources) -> String {
    let bytes: HashMap<&str, &[u8]> = sources.files.iter().map(|file| (&*file.path, &*file.bytes)).collect();
    suite(all.iter().map(|ran| {
        let failures = ran.report.failures.iter();
        Case {
            name: ran.report.name.as_str(),
            place: &ran.report.place,
            took: ran.took,
            wrong: failures
                .map(|failure| (failure.finding.message.as_str(), failure_text(failure, &bytes, false)))
                .collect(),
        }
    }))
}

/// Renders a tree whose errors prevent all tests: each error is a failed case.
pub(super) fn invalid(checked: &Checked) -> String {
    suite(checked.diagnostics.iter().filter(|found| found.is_error()).map(|found: &Diagnostic| Case {
        name: found.code.name(),
        place: &found.place,
        took: Duration::ZERO,
        wrong: vec![(found.message.as_str(), found.to_string())],
    }))
}

fn suite<'a>(cases: impl Iterator<Item = Case<'a>>) -> String {
    let (mut tests, mut failures, mut took) = (0, 0, Duration::ZERO);
    let mut body = String::new();
    for case in cases {
        tests += 1;
        failures += usize::from(!case.wrong.is_empty());
        took += case.took;
        write_case(&mut body, &case).expect("a string takes everything");
    }
    let sums = format!(r#"tests="{tests}" failures="{failures}" errors="0" time="{:.3}""#, took.as_secs_f64());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {sums}>\n  \
         <testsuite name=\"relancectl test\" {sums}>\n{body}  </testsuite>\n</testsuites>"
    )
}

fn write_case(xml: &mut String, case: &Case<'_>) -> std::fmt::Result {
    let (name, file) = (escaped(case.name), escaped(&case.place.file));
    let (line, seconds) = (case.place.start.line, case.took.as_secs_f64());
    write!(
        xml,
        "    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\" time=\"{seconds:.3}\""
    )?;
    if case.wrong.is_empty() {
        return writeln!(xml, "/>");
    }
    writeln!(xml, ">")?;
    // Each case has one element, because readers show the first and drop the others.
    let message = case.wrong.iter().map(|(message, _)| *message).collect::<Vec<_>>().join("; ");
    let text = case.wrong.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    writeln!(xml, "      <failure message=\"{}\" type=\"failure\">{}</failure>", escaped(&message), escaped(&text))?;
    writeln!(xml, "    </testcase>")
}

/// Escapes text for XML 1.0, and replaces characters that XML cannot contain.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn xml_escaping_handles_any_text() {
        assert_eq!(escaped("<a & \"b\">\n\u{1b}[2J\u{0}ç"), "&lt;a &amp; &quot;b&quot;&gt;\n\u{fffd}[2J\u{fffd}ç");
    }
}
