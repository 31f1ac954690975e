//! Reports mistakes of a channel in their place.

use std::ops::Range;

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::manifest::syntax::document::Document;

/// What is said of one manifest.
pub(super) struct Report<'a, 'd> {
    pub(super) document: &'a Document<'d>,
    pub(super) found: &'a mut Vec<Diagnostic>,
}

impl Report<'_, '_> {
    /// Says it of a value, by its pointer below `spec`.
    pub(super) fn say(&mut self, code: Code, key: &str, message: impl Into<String>, help: &str) {
        let place = self.document.place(&format!("/spec/{key}"));
        self.found.push(Diagnostic::new(code, place, message).help(help));
    }

    /// Says it of the place of a key.
    pub(super) fn say_of_key(&mut self, code: Code, key: &str, message: impl Into<String>, help: &str) {
        let place = self.document.key_place(&format!("/spec/{key}"));
        self.found.push(Diagnostic::new(code, place, message).help(help));
    }

    /// Says it of a part of a text, in bytes of it.
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
