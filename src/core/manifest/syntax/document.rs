//! One document of a file, and where its values stand.

use std::ops::Range;
use std::sync::OnceLock;

use super::sources::SourceFile;
use super::yaml;
use super::yaml::{Key, Node};
use crate::core::diagnostic::{Lines, Place, Span};

/// A file, with its lines counted once somebody asks for a place in it.
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
    /// The part of the file it was read from, and which of the documents there it is.
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
    /// Its values. They are large and hardly ever asked for again, so they are read anew after [`Self::forget`].
    pub(in crate::core::manifest) fn root(&self) -> &Node {
        self.root.get_or_init(|| {
            let text = std::str::from_utf8(&self.file.source.bytes).expect("it was read from this text");
            let mut nodes = yaml::parse(text, self.range).expect("it was read from this range");
            nodes.swap_remove(self.index)
        })
    }

    /// A value as a document of its own, with the same places; not to be forgotten.
    pub(in crate::core::manifest) fn below(&self, pointer: &str) -> Option<Self> {
        let root = self.node(pointer)?.clone();
        Some(Self { file: self.file, range: self.range, index: self.index, root: root.into() })
    }

    /// The part of the file that is its own.
    pub(in crate::core::manifest) fn range(&self) -> Span {
        self.range
    }

    pub(in crate::core::manifest) fn forget(&mut self) {
        self.root = OnceLock::new();
    }

    /// The place of a value: all of a scalar; of a list or mapping the key that holds it. A pointer that leads
    /// nowhere stands for the last value on its way that exists.
    pub(in crate::core::manifest) fn place(&self, pointer: &str) -> Place {
        let (key, node) = self.find(pointer);
        let span = match key {
            Some(key) if !node.is_scalar() || node.span().is_empty() => key.span,
            _ => node.span(),
        };
        self.file.place(span, pointer)
    }

    /// The place of the key of a value.
    pub(in crate::core::manifest) fn key_place(&self, pointer: &str) -> Place {
        let (key, node) = self.find(pointer);
        self.file.place(key.map_or_else(|| node.span(), |key| key.span), pointer)
    }

    /// The place of a part of a text, `range` being bytes of the text as it was understood.
    ///
    /// What YAML does to a text (indentation, escapes, folding) hardly ever touches the few words in question,
    /// so their n-th occurrence in the value is their n-th occurrence in the file. Otherwise: the whole value.
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

    /// The value at a pointer as it is written in the file.
    pub(in crate::core::manifest) fn raw(&self, pointer: &str) -> &str {
        let (_, node) = self.find(pointer);
        if node.is_scalar() { self.written(node.span()).unwrap_or_default() } else { "" }
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

/// One more step of a pointer.
pub(in crate::core::manifest) fn join(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}
