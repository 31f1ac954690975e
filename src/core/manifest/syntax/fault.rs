//! Errors of the YAML parser, in words about what stands in the file.

use serde_saphyr::Error as YamlError;

use super::yaml::{MAX_DEPTH, MAX_NODES};
use crate::core::diagnostic::{Code, Span};

/// The reason why a document could not be read.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::core::manifest) struct Failure {
    pub(in crate::core::manifest) code: Code,
    pub(in crate::core::manifest) message: String,
    pub(in crate::core::manifest) span: Span,
    pub(in crate::core::manifest) help: Option<String>,
}

impl Failure {
    /// Returns the failure of a document in a tree whose aliases repeat too much.
    pub(in crate::core::manifest) fn of_aliases(range: Span) -> Self {
        let (code, message, help) = too_complex("the aliases of the tree repeat more than 32 MiB");
        Self { code, message, span: Span::new(range.start, range.start), help }
    }
}

/// Returns the failure of the document at `range` of a file, for an error of the parser.
pub(super) fn failure(error: &YamlError, file: &str, range: Span) -> Failure {
    let document = &file[range.start..range.end];
    let error = error.without_snippet();
    let mut at = error.location().map_or(document.len(), |at| offset(at, document)).min(document.len());
    while !document.is_char_boundary(at) {
        at -= 1;
    }
    // The end of the document has nothing to point at, so the last visible character is used.
    if document[at..].trim().is_empty() {
        let kept = document[..at].trim_end();
        at = kept.char_indices().next_back().map_or(0, |(last, _)| last);
    }
    let long = document[at..].chars().next().map_or(0, char::len_utf8);
    let before = document[..at].rsplit('\n').next().unwrap_or_default();
    let scene = Scene { file, document, rest: &document[at..], before };
    let (code, message, help) = scene.describe(error);
    Failure { code, message, span: Span::new(range.start + at, range.start + at + long), help }
}

/// Returns the byte offset of an error; some errors know only their line and column.
fn offset(at: serde_saphyr::Location, document: &str) -> usize {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    if let Some(at) = at.span().byte_offset() {
        return number(at);
    }
    let before: usize = document.split_inclusive('\n').take(number(at.line()).saturating_sub(1)).map(str::len).sum();
    let line = document[before..].chars().take(number(at.column()).saturating_sub(1));
    before + line.map(char::len_utf8).sum::<usize>()
}

type Described = (Code, String, Option<String>);

/// The text around an error of the parser, which reports only that it cannot go on.
struct Scene<'a> {
    file: &'a str,
    document: &'a str,
    /// The document from the error on.
    rest: &'a str,
    /// The line of the error, up to it.
    before: &'a str,
}

impl Scene<'_> {
    fn describe(&self, error: &YamlError) -> Described {
        match error {
            YamlError::Budget { .. }
            | YamlError::AliasReplayCounterOverflow { .. }
            | YamlError::AliasReplayLimitExceeded { .. }
            | YamlError::AliasExpansionLimitExceeded { .. }
            | YamlError::AliasReplayStackDepthExceeded { .. }
            | YamlError::RecursiveReferencesRequireWeakTypes { .. } => too_complex(&first_line(&error.to_string())),
            YamlError::UnsupportedTag { tag, .. } => {
                unsupported(format!("the tag `{tag}` is not supported"), "remove it")
            }
            YamlError::NonFiniteFloat { .. } => {
                unsupported("a number must be finite".to_owned(), "put it in quotes if it is text")
            }
            YamlError::ExternalMessage { msg, .. } => self.syntax(msg),
            other => self.syntax(&first_line(&other.to_string())),
        }
    }

    fn syntax(&self, message: &str) -> Described {
        let message = message.trim_end_matches('.');
        // The scanner enforces some limits before the budget does.
        if message.contains("limit exceeded") {
            return too_complex(message);
        }
        // Only keys are read as text.
        if message.contains("null into string") {
            return unsupported("a key is empty".to_owned(), "write the key before the `:`");
        }
        if message.contains("expected string scalar") {
            let help = "a key is text; put it in quotes if its brackets are part of it";
            return unsupported("a key is a list or a mapping".to_owned(), help);
        }
        if message.contains("unknown anchor") {
            return self.unknown_anchor();
        }
        if message.contains("BOM") || self.rest.starts_with('\u{feff}') {
            let message = "there is a byte order mark (U+FEFF) in the middle of the document".to_owned();
            let help = "delete this invisible character; it remains where files were joined or text was pasted";
            return (Code::InvalidYaml, message, Some(help.to_owned()));
        }
        (Code::InvalidYaml, format!("this is not valid YAML: {message}"), self.help(message))
    }

    /// Names the likely cause.
    fn help(&self, message: &str) -> Option<String> {
        let is_directive = self.before.starts_with('%') || (self.before.is_empty() && self.rest.starts_with('%'));
        let help = if is_directive {
            "a directive such as `%YAML` stands before a `---`, and after a line `...` if a document is above it; manifests \
             need none"
        } else if message.contains("unclosed") || message.contains("expected ',' or") {
            match self.cut_line() {
                Some(_) => {
                    "text ends where ` #` begins a comment, and so does the rest of the line: put the text in quotes"
                }
                None => "add what closes it: `]`, `}` or a quote",
            }
        } else if self.rest.starts_with('\t') || self.before.trim_start_matches(' ').starts_with('\t') {
            "indent with spaces, not tabs"
        } else if self.rest.starts_with(['@', '`', '%', '*', '&', '!', '{', '[']) {
            "put text that begins with a special character in quotes"
        } else if self.rest.starts_with(':') || message.contains("mapping values") {
            "put text that contains `: ` in quotes"
        } else {
            return None;
        };
        Some(help.to_owned())
    }

    /// Finds a line whose bracket is closed behind a ` #` only, so that the comment takes it away.
    fn cut_line(&self) -> Option<&str> {
        self.document.lines().find(|line| {
            let Some((code, comment)) = line.split_once(" #") else { return false };
            let opened = code.matches(['{', '[']).count();
            opened > code.matches(['}', ']']).count() && comment.contains(['}', ']'])
        })
    }

    fn unknown_anchor(&self) -> Described {
        let end = |c: char| c.is_whitespace() || ",[]{}".contains(c);
        let name = self.rest.trim_start_matches('*').split(end).next().unwrap_or_default();
        let defines = |text: &str| text.split('&').skip(1).any(|after| after.split(end).next() == Some(name));
        let message = format!("the alias `*{name}` has no anchor `&{name}` above it in this document");
        let help = if defines(self.document) {
            "an anchor stands before its aliases: move it up"
        } else if defines(self.file) {
            "the anchor is in another document of the file, and counts only there: write the values out, or share them by a \
             manifest and a `…Ref`"
        } else {
            "put text that begins with `*` in quotes"
        };
        (Code::InvalidYaml, message, Some(help.to_owned()))
    }
}

fn unsupported(message: String, help: &str) -> Described {
    (Code::UnsupportedYaml, message, Some(help.to_owned()))
}

fn too_complex(reason: &str) -> Described {
    let message = format!("the document is too complex to be a manifest: {}", reason.to_lowercase());
    let help = format!("stay below {MAX_DEPTH} levels and {MAX_NODES} values, and write out what aliases stand for");
    (Code::YamlTooComplex, message, Some(help))
}

/// Returns the first line of the message without the position, which is shown separately.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    match line.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, reason)) => reason.to_owned(),
        None => line.split(" at line ").next().unwrap_or(line).to_owned(),
    }
}
