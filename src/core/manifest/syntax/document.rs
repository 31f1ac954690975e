//! One document of a file, and the places of its values.

use std::ops::Range;
use std::sync::OnceLock;

use super::sources::SourceFile;
use super::yaml;
use super::yaml::{Key, Node};
use crate::core::diagnostic::{Lines, Place, Span};

/// A file whose lines are counted at the first request for a place.
#[derive(Debug)]
pub(in crate::core::manifest) struct File<'a> {
    pub(in crate::core::manifest) source: &'a SourceFile,
    lines: OnceLock<Lines<'a>>,
}

impl<'a> File<'a> {
    pub(in crate::core::manifest) fn new(source: &'a SourceFile) -> Self {
        Self { source, lines: OnceLock::new() }
    }

    pub(in crate::core::manifest) fn place(&self, span: Span, pointer: &str) -> Place {
        self.lines.get_or_init(|| Lines::new(&self.source.path, &self.source.bytes)).place(span, pointer)
    }
}

#[derive(Debug)]
pub(in crate::core::manifest) struct Document<'a> {
    pub(in crate::core::manifest) file: &'a File<'a>,
    /// The part of the file that the document was read from. `index` counts the documents in that part.
    range: Span,
    index: usize,
    root: OnceLock<Node>,
}

impl<'a> Document<'a> {
    pub(in crate::core::manifest) fn new(file: &'a File<'a>, range: Span, index: usize, root: Node) -> Self {
        Self { file, range, index, root: root.into() }
    }
}

impl Document<'_> {
    /// Returns the values. They are large and rarely needed again, so they are parsed again after [`Self::forget`].
    pub(in crate::core::manifest) fn root(&self) -> &Node {
        self.root.get_or_init(|| {
            let text = std::str::from_utf8(&self.file.source.bytes).expect("it was read from this text");
            let mut nodes = yaml::parse(text, self.range).expect("it was read from this range");
            nodes.swap_remove(self.index)
        })
    }

    /// Returns a value as a document of its own with the same places. Never call [`Self::forget`] on it, since it
    /// would parse the whole document.
    pub(in crate::core::manifest) fn below(&self, pointer: &str) -> Option<Self> {
        let root = self.node(pointer)?.clone();
        Some(Self { file: self.file, range: self.range, index: self.index, root: root.into() })
    }

    /// Returns the byte range of the document in its file.
    pub(in crate::core::manifest) fn range(&self) -> Span {
        self.range
    }

    /// Returns the document as written, without the marker before it and the white space around it. Its place in a file
    /// with several documents makes no difference.
    pub(in crate::core::manifest) fn text(&self) -> &[u8] {
        let text = self.file.source.bytes.get(self.range.start..self.range.end).unwrap_or_default().trim_ascii();
        text.strip_prefix(b"---")
            .filter(|rest| rest.starts_with(b"\n") || rest.starts_with(b"\r"))
            .unwrap_or(text)
            .trim_ascii()
    }

    pub(in crate::core::manifest) fn forget(&mut self) {
        self.root = OnceLock::new();
    }

    /// Returns the place of a value: the whole of a scalar, or the key that holds a list or mapping. A pointer that
    /// leads nowhere gives the last existing value on its way.
    pub(in crate::core::manifest) fn place(&self, pointer: &str) -> Place {
        let (key, node) = self.find(pointer);
        let span = match key {
            Some(key) if !node.is_scalar() || node.span().is_empty() => key.span,
            _ => node.span(),
        };
        self.file.place(span, pointer)
    }

    /// Returns the place of the key of a value.
    pub(in crate::core::manifest) fn key_place(&self, pointer: &str) -> Place {
        let (key, node) = self.find(pointer);
        self.file.place(key.map_or_else(|| node.span(), |key| key.span), pointer)
    }

    /// Returns the place of a part of a text; `range` counts bytes of the parsed text.
    ///
    /// Indentation, escapes and folding rarely change the few words in question. The n-th occurrence in the value is
    /// therefore the n-th in the file. If the counts differ, the place is the whole value.
    pub(in crate::core::manifest) fn part(&self, pointer: &str, range: Range<usize>) -> Place {
        let whole = self.place(pointer);
        let part = || {
            let text = self.find(pointer).1.text()?;
            let raw = self.written(whole.span)?;
            let wanted = text.get(range.clone())?.lines().next().filter(|wanted| !wanted.trim().is_empty())?;
            if text.matches(wanted).count() != raw.matches(wanted).count() {
                return None;
            }
            let before = text.get(..range.start)?.matches(wanted).count();
            let (at, _) = raw.match_indices(wanted).nth(before)?;
            let start = whole.span.start + at;
            Some(self.file.place(Span::new(start, start + wanted.len()), pointer))
        };
        part().unwrap_or_else(|| self.place(pointer))
    }

    /// Returns the scalar at a pointer as written in the file; empty for lists and mappings.
    pub(in crate::core::manifest) fn raw(&self, pointer: &str) -> &str {
        let (_, node) = self.find(pointer);
        if node.is_scalar() { self.written(node.span()).unwrap_or_default() } else { "" }
    }

    /// Returns the comment on the same line behind a scalar without quotes.
    pub(in crate::core::manifest) fn comment_behind(&self, node: &Node) -> Option<&str> {
        let span = node.span();
        let raw = self.written(span)?;
        if raw.is_empty() || raw.starts_with(['"', '\'', '|', '>', '*']) {
            return None;
        }
        let end = span.start + raw.trim_end().len();
        let rest = self.written(Span::new(end, self.range.end))?.lines().next()?;
        let comment = rest.trim_start_matches([' ', '\t']).strip_prefix('#')?;
        rest.starts_with([' ', '\t']).then(|| comment.trim_end())
    }

    fn written(&self, span: Span) -> Option<&str> {
        self.file.source.bytes.get(span.start..span.end).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    pub(in crate::core::manifest) fn node(&self, pointer: &str) -> Option<&Node> {
        steps(pointer).try_fold(self.root(), |node, step| child(node, &step).map(|(_, node)| node))
    }

    fn find(&self, pointer: &str) -> (Option<&Key>, &Node) {
        let mut found = (None, self.root());
        for step in steps(pointer) {
            match child(found.1, &step) {
                Some((key, node)) => found = (key, node),
                None => break,
            }
        }
        found
    }
}

fn child<'n>(node: &'n Node, step: &str) -> Option<(Option<&'n Key>, &'n Node)> {
    if let Some((key, value)) = node.entry(step) {
        return Some((Some(key), value));
    }
    let item = node.items().get(step.parse::<usize>().ok()?)?;
    Some((None, item))
}

fn steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

/// Appends a step to a JSON pointer, escaped.
pub(in crate::core::manifest) fn join(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}
