//! Mistakes in files that nobody sees: text that a comment cuts off, and invisible characters.

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::is_unseen;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::document::{Document, join};
use crate::core::manifest::syntax::yaml::{Kind as Shape, Node};

/// Warns of texts without quotes that end at a ` #`, in place of the findings from `first` on about what they lack.
pub(super) fn comments_in_text(document: &Document<'_>, kind: Kind, first: usize, found: &mut Vec<Diagnostic>) {
    let mut cut = Vec::new();
    if document.text().windows(2).any(|pair| matches!(pair, b" #" | b"\t#")) {
        walk(document, kind, document.root(), "", &mut cut);
    }
    let rest = found.split_off(first);
    let is_cut = |one: &Diagnostic| cut.iter().any(|cut| cut.place.pointer == one.place.pointer);
    found.extend(rest.into_iter().filter(|one| one.code != Code::NoOptOutHint || !is_cut(one)));
    found.append(&mut cut);
}

fn walk(document: &Document<'_>, kind: Kind, node: &Node, at: &str, found: &mut Vec<Diagnostic>) {
    match &node.kind {
        Shape::Map(entries) => {
            for (key, value) in entries {
                walk(document, kind, value, &join(at, &key.name), found);
            }
        }
        Shape::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(document, kind, item, &format!("{at}/{index}"), found);
            }
        }
        Shape::Text(_) => {
            let Some(comment) = document.comment_behind(node) else { return };
            // A comment behind a setting is a habit. Behind a text that people receive it is more likely a part of it.
            let is_written_to_people = matches!(kind, Kind::Sequence | Kind::Campaign) && at.starts_with("/spec/days/");
            let is_glued = comment.starts_with(|c: char| c.is_alphanumeric());
            let is_words = node.text().is_some_and(|text| text.contains(char::is_whitespace));
            if is_glued || (is_written_to_people && is_words) {
                let message = format!("the text ends before ` #{comment}`, which is a comment");
                let help = "put the text in quotes, or the comment on a line of its own";
                found.push(Diagnostic::new(Code::CommentInText, document.place(at), message).help(help));
            }
        }
        Shape::Null | Shape::Bool(_) | Shape::Number(_) => {}
    }
}

/// Names an invisible character where it is the likely cause of an error.
pub(super) fn invisible_characters(text: &str, found: &mut [Diagnostic]) {
    if !text.chars().any(is_unseen) {
        return;
    }
    let lines: Vec<&str> = text.split('\n').collect();
    for one in found.iter_mut().filter(|one| is_about_form(one.code)) {
        let (from, to) = (one.place.start.line, one.place.end.line.max(one.place.start.line));
        let line = lines.get(from.saturating_sub(1)..to.min(lines.len())).unwrap_or_default();
        let shown = line.iter().enumerate().find_map(|(more, line)| Some((from + more, out_of_place(line)?)));
        if let Some((line, (column, c))) = shown {
            let (name, code) = (name(c), u32::from(c));
            one.help = Some(format!(
                "line {line} has {name} (U+{code:04X}) at column {column}: type an ordinary space there, or nothing"
            ));
        }
    }
}

/// Returns true for findings that a wrong character can cause.
fn is_about_form(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidYaml
            | Code::NotAMapping
            | Code::UnsupportedApiVersion
            | Code::UnknownKind
            | Code::UnknownKey
            | Code::WrongType
            | Code::UnknownValue
            | Code::InvalidValue
            | Code::InvalidName
            | Code::UnknownTimezone
            | Code::InvalidDate
            | Code::UnknownReference
    )
}

/// Returns the column of an invisible character in the indentation, in or at a key, or at an end of a value. French text
/// has such characters before `!` and `:`, where they belong.
fn out_of_place(line: &str) -> Option<(usize, char)> {
    let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r');
    let key_end = line.find(": ").or_else(|| line.strip_suffix(':').map(str::len)).unwrap_or(0);
    let value_end = line.trim_end_matches(|c: char| c.is_whitespace() || is_unseen(c)).len();
    let is_misplaced = |at: usize, before: &str| {
        let is_indentation = before.chars().all(|c| c.is_whitespace() || c == '-' || is_unseen(c));
        at < key_end
            || at >= value_end
            || is_indentation
            || before.trim_end_matches(is_unseen).ends_with([':', '-', ' '])
    };
    line.char_indices()
        .enumerate()
        .find(|(_, (at, c))| is_unseen(*c) && is_misplaced(*at, &line[..*at]))
        .map(|(column, (_, c))| (column + 1, c))
}

fn name(c: char) -> &'static str {
    match c {
        '\u{a0}' => "a no-break space",
        '\u{202f}' => "a narrow no-break space",
        '\u{200b}' => "a zero-width space",
        '\u{feff}' => "a byte order mark",
        _ => "an invisible character",
    }
}
