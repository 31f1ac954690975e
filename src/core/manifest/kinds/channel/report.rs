//! Reports mistakes of a channel at their place.

use std::ops::Range;

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::manifest::syntax::document::Document;

/// The findings of one manifest.
pub(super) struct Report<'a, 'd> {
    pub(super) document: &'a Document<'d>,
    pub(super) found: &'a mut Vec<Diagnostic>,
}

impl Report<'_, '_> {
    /// Reports a finding at a value, given by its pointer below `spec`.
    pub(super) fn say(&mut self, code: Code, key: &str, message: impl Into<String>, help: &str) {
        let place = self.document.place(&format!("/spec/{key}"));
        self.found.push(Diagnostic::new(code, place, message).help(help));
    }

    /// Reports a finding at a key.
    pub(super) fn say_of_key(&mut self, code: Code, key: &str, message: impl Into<String>, help: &str) {
        let place = self.document.key_place(&format!("/spec/{key}"));
        self.found.push(Diagnostic::new(code, place, message).help(help));
    }

    /// Reports a finding at a part of a text, given as a byte range.
    pub(super) fn say_of_part(
        &mut self,
        code: Code,
        key: &str,
        part: Option<Range<usize>>,
        message: String,
        help: Option<String>,
    ) {
        let at = format!("/spec/{key}");
        let place = part.map_or_else(|| self.document.place(&at), |part| self.document.part(&at, part));
        self.found.push(Diagnostic::new(code, place, message).help_if(help));
    }
}
