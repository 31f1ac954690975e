//! Findings as text for people: the sentence, the lines concerned with carets, and the help.

use std::borrow::Cow;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Code, Diagnostic, Place, Severity, Span};

/// The maximum number of lines shown; a longer place shows only its first line.
const LINES_SHOWN: usize = 6;
/// The maximum width; longer lines are cut around the place.
const WIDTH: usize = 160;

/// Returns the bytes of a file with every literal secret that was found in it masked, from its first byte to the end of
/// its line. The length is the same, so places stay right.
pub fn without_secrets<'s>(bytes: &'s [u8], file: &str, found: &[Diagnostic]) -> Cow<'s, [u8]> {
    let mut masked = Cow::Borrowed(bytes);
    for secret in found.iter().filter(|one| one.code == Code::LiteralSecret && &*one.place.file == file) {
        let Span { start, end } = secret.place.span;
        let (start, end) = (start.min(bytes.len()), end.min(bytes.len()));
        // A list or mapping is marked by its first line; what it holds comes after the mark.
        let rest = bytes[end..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| end + at);
        let keep = |byte: &u8| matches!(byte, b'\n' | b'\r');
        masked.to_mut()[start..rest].iter_mut().filter(|byte| !keep(byte)).for_each(|byte| *byte = b'*');
    }
    masked
}

/// Renders one finding; `source` returns the bytes of a file by the path of the place.
pub fn render<'s>(found: &Diagnostic, source: impl Fn(&str) -> Option<&'s [u8]>, colour: bool) -> String {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut main = level.primary_title(printable(&found.message)).id(found.code.id()).element(snippet(
        &found.place,
        source(&found.place.file),
        AnnotationKind::Primary,
        None,
    ));
    for (place, label) in &found.related {
        main = main.element(snippet(place, source(&place.file), AnnotationKind::Context, Some(label)));
    }
    let help = found.help.as_ref().map(|help| Level::HELP.message(printable(help)));
    let report = [main.elements(help)];
    draw(&report, colour)
}

fn draw(report: &[Group<'_>], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH).render(report)
}

/// Returns the last line of a report: `7 files, 9 manifests: 2 errors, 1 warning`.
pub fn summary(found: &[Diagnostic], files: usize, manifests: usize) -> String {
    let errors = found.iter().filter(|d| d.is_error()).count();
    let warnings = found.len() - errors;
    let verdict = match (errors, warnings) {
        (0, 0) => "no problem found".to_owned(),
        (_, 0) => count(errors, "error"),
        (0, _) => count(warnings, "warning"),
        _ => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    format!("{}, {}: {verdict}", count(files, "file"), count(manifests, "manifest"))
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Builds a snippet of only the lines concerned, so that the cost does not grow with the file.
fn snippet<'a>(
    place: &'a Place,
    bytes: Option<&[u8]>,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let bytes = bytes.unwrap_or_default();
    let start = place.span.start.min(bytes.len());
    let from = bytes[..start].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let mut end = place.span.end.clamp(start, bytes.len());
    if let Some((cut, _)) = bytes[start..end].iter().enumerate().filter(|(_, b)| **b == b'\n').nth(LINES_SHOWN - 1) {
        end = bytes[start..start + cut].iter().position(|b| *b == b'\n').map_or(start + cut, |at| start + at);
    }
    let to = bytes[end..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| end + at);
    // Characters are replaced one for one, so that the caret stays in place.
    let text = |part: &[u8]| printable(String::from_utf8_lossy(part).trim_start_matches('\u{feff}'));
    let before = text(tail(&bytes[from..start]));
    let marked = text(head(&bytes[start..end]));
    let after = text(head(&bytes[end..to]));
    let mark = before.len()..before.len() + marked.len();
    let annotation = kind.span(mark).label(label.map(printable));
    Snippet::source(format!("{before}{marked}{after}"))
        .line_start(place.start.line)
        .path(&*place.file)
        .fold(false)
        .annotation(annotation)
}

/// Returns the end of a line, at most 4 kB of it.
fn tail(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(4096)..]
}

fn head(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(4096)]
}

/// Replaces characters that a terminal would interpret or hide: control characters become `\u{fffd}`, a tab one space.
fn printable(text: &str) -> String {
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .filter(|c| *c != '\r')
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            c if c.is_control() || hidden(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{render, summary};
    use crate::core::diagnostic::{Code, Diagnostic, Lines, Span};

    fn show(bytes: &[u8], span: Span) -> String {
        let place = Lines::new("campaigns/é.yaml", bytes).place(span, "");
        let found = Diagnostic::new(Code::UnknownKey, place, "unknown key `ville\u{1b}[31m`").help("remove it");
        render(&found, |_| Some(bytes), false)
    }

    #[test]
    fn carets_stand_below_the_characters() {
        let text = "a: 1\r\nçà🙂: ville\r\nb: 2\r\n";
        let at = text.find("ville").unwrap();
        assert_snapshot!(show(text.as_bytes(), Span::new(at, at + 5)), @r"
        error[RL0204]: unknown key `ville�[31m`
         --> campaigns/é.yaml:2:6
          |
        2 | çà🙂: ville
          |       ^^^^^
          |
          = help: remove it
        ");
    }

    #[test]
    fn invalid_utf8_bytes_are_shown_as_replacement_characters() {
        assert_snapshot!(show(b"a: \xff\xfe\x1b[2J b\n", Span::new(3, 4)), @r"
        error[RL0204]: unknown key `ville�[31m`
         --> campaigns/é.yaml:1:4
          |
        1 | a: ���[2J b
          |    ^
          |
          = help: remove it
        ");
    }

    #[test]
    fn the_summary_counts_files_and_manifests() {
        assert_eq!(summary(&[], 1, 9), "1 file, 9 manifests: no problem found");
    }
}
