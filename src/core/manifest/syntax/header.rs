//! The header of a manifest: `apiVersion`, `kind` and name, also for a manifest inside another one.

use super::document::Document;
use super::yaml::{Kind as Shape, Node};
use crate::core::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;

pub(in crate::core::manifest) const API_VERSION: &str = "relance/v1";

/// Checks only the kind and the name of a manifest inside another one.
pub(in crate::core::manifest) fn nested_name(document: &Document<'_>, at: &str, found: &mut Vec<Diagnostic>) {
    within(document, at, found, |inner, inside| {
        nested_kind(inner, inside)?;
        match inner.node("/metadata/name").and_then(Node::text).map(Name::parse) {
            Some(Ok(_)) => {}
            Some(Err(reason)) => inside.push(Diagnostic::new(Code::InvalidName, inner.place("/metadata/name"), reason)),
            None => {
                let message = "the manifest has no `name`";
                let help = "add `metadata: {name: …}`";
                inside.push(Diagnostic::new(Code::MissingKey, inner.place("/metadata"), message).help(help));
            }
        }
        Some(())
    });
}

pub(in crate::core::manifest) fn nested_kind(inner: &Document<'_>, found: &mut Vec<Diagnostic>) -> Option<Kind> {
    let kind = kind(inner, found)?;
    if kind == Kind::CampaignTest {
        let message = "a test cannot be part of a test";
        let help = "give it a document of its own";
        found.push(Diagnostic::new(Code::UnknownValue, inner.place("/kind"), message).help(help));
        return None;
    }
    Some(kind)
}

/// Checks a value as a manifest of its own; the findings point into the whole document.
pub(in crate::core::manifest) fn within<T>(
    document: &Document<'_>,
    at: &str,
    found: &mut Vec<Diagnostic>,
    look: impl FnOnce(&Document<'_>, &mut Vec<Diagnostic>) -> Option<T>,
) -> Option<T> {
    let inner = document.below(at)?;
    let mut inside = Vec::new();
    let seen = look(&inner, &mut inside);
    for mut diagnostic in inside {
        diagnostic.place.pointer.insert_str(0, at);
        found.push(diagnostic);
    }
    seen
}

pub(in crate::core::manifest) fn kind(document: &Document<'_>, found: &mut Vec<Diagnostic>) -> Option<Kind> {
    if !matches!(document.root().kind, Shape::Map(_)) {
        let what = if matches!(document.root().kind, Shape::List(_)) { "a list" } else { "a single value" };
        let message = format!("a manifest is a mapping, and this is {what}");
        let help = "begin with `apiVersion: relance/v1`; separate several manifests with a line `---`";
        found.push(Diagnostic::new(Code::NotAMapping, document.place(""), message).help(help));
        return None;
    }
    let kinds = Kind::ALL.map(Kind::as_str);
    let all = format!("kinds are `{}`", kinds.join("`, `"));
    let Some(node) = document.root().get("kind") else {
        let message = "the manifest has no `kind`";
        found.push(Diagnostic::new(Code::MissingKey, document.place(""), message).help(format!("add `kind:`; {all}")));
        return None;
    };
    let place = document.place("/kind");
    let text = node.text().unwrap_or_else(|| document.raw("/kind"));
    if let Some(kind) = Kind::parse(text) {
        return Some(kind);
    }
    let message = format!("there is no kind `{text}`");
    found.push(Diagnostic::new(Code::UnknownKind, place, message).help(did_you_mean(text, kinds).unwrap_or(all)));
    None
}

pub(in crate::core::manifest) fn api_version(document: &Document<'_>, found: &mut Vec<Diagnostic>) {
    let help = format!("write `apiVersion: {API_VERSION}`");
    match document.root().get("apiVersion") {
        Some(node) if node.text() == Some(API_VERSION) => {}
        Some(node) => {
            let text = node.text().unwrap_or_else(|| document.raw("/apiVersion"));
            let message = format!("there is no API version `{text}`");
            let place = document.place("/apiVersion");
            found.push(Diagnostic::new(Code::UnsupportedApiVersion, place, message).help(help));
        }
        // The schema reports a missing key.
        None => {}
    }
}
