//! Checks days and their templates on the values as written.

use std::collections::{BTreeMap, BTreeSet};

use super::sequence::DaySpec;
use super::whatsapp_template;
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::{Language, fold};
use crate::core::manifest::syntax::document::{Document, join};
use crate::core::manifest::syntax::yaml::{Key, Node};
use crate::core::template;
use crate::core::template::ProblemKind;

/// The limit of findings in the texts of one manifest.
const MAX_PROBLEMS: usize = 1000;

/// Words that tell people how to stop, in the form that `fold` returns.
const STOP_WORDS: [&str; 14] = [
    "stop",
    "arret",
    "arreter",
    "desabonner",
    "desinscrire",
    "unsubscribe",
    "opt out",
    "baja",
    "salir",
    "sair",
    "cancelar",
    "parar",
    "ايقاف",
    "توقف",
];

/// Checks every template in the list of days at `at`.
pub(in crate::core::manifest) fn check_texts(document: &Document<'_>, at: &str, found: &mut Vec<Diagnostic>) {
    let days = document.node(at).map(Node::items).unwrap_or_default();
    for (index, day) in days.iter().enumerate() {
        if found.len() > MAX_PROBLEMS {
            return;
        }
        let at = format!("{at}/{index}");
        let first = day.get("day").is_some_and(|n| n.to_json() == 1);
        for part in ["text", "subject"] {
            let texts = day.get(part).map(Node::entries).unwrap_or_default();
            let at = format!("{at}/{part}");
            repeated_languages(document, &at, texts, found);
            for (key, text) in texts.iter().filter_map(|(key, node)| Some((key, node.text()?))) {
                let at = join(&at, &key.name);
                let has_hint = check_text(document, &at, text, found);
                if part == "text" && first && !has_hint && !text.trim().is_empty() {
                    no_hint(document, &at, &key.name, found);
                }
            }
        }
        for (number, media) in day.get("media").map(Node::items).unwrap_or_default().iter().enumerate() {
            let at = format!("{at}/media/{number}");
            if let Some(caption) = media.get("caption").and_then(Node::text) {
                check_template(document, &format!("{at}/caption"), caption, found);
            }
            whereabouts(document, &at, media, found);
        }
        if let Some(template) = day.get("whatsappTemplate") {
            whatsapp_template::check(document, &format!("{at}/whatsappTemplate"), template, found);
        }
    }
    same_every_day(document, at, days, found);
}

/// Checks that a medium has either a `url` or an `id`.
fn whereabouts(document: &Document<'_>, at: &str, media: &Node, found: &mut Vec<Diagnostic>) {
    let (code, message, help) = match (media.get("url"), media.get("id")) {
        (Some(_), Some(_)) => (Code::InlineAndReference, "the medium has both `url` and `id`", "keep one of them"),
        (None, None) => (Code::MissingKey, "the medium has no `url`", "add `url: https://…`, or the `id` of an upload"),
        _ => return,
    };
    found.push(Diagnostic::new(code, document.place(at), message).help(help));
}

fn check_text(document: &Document<'_>, at: &str, text: &str, found: &mut Vec<Diagnostic>) -> bool {
    if text.trim().is_empty() {
        found.push(Diagnostic::new(Code::EmptyText, document.place(at), "the text is empty"));
    }
    check_template(document, at, text, found) || {
        let folded = fold(text);
        STOP_WORDS.iter().any(|word| folded.contains(word))
    }
}

/// Checks a template, and returns true if it uses `optOutHint`. A broken template counts as using it.
pub(super) fn check_template(document: &Document<'_>, at: &str, text: &str, found: &mut Vec<Diagnostic>) -> bool {
    let findings = template::check(text);
    let broken = !findings.problems.is_empty();
    for problem in findings.problems {
        let code = match problem.kind {
            ProblemKind::Syntax => Code::TemplateSyntax,
            ProblemKind::UnknownVariable => Code::UnknownVariable,
            ProblemKind::Fails => Code::TemplateFails,
        };
        let place = match problem.range {
            Some(range) => document.part(at, range),
            None => document.place(at),
        };
        found.push(Diagnostic::new(code, place, problem.message).help_if(problem.help));
    }
    findings.has_opt_out_hint || broken
}

fn no_hint(document: &Document<'_>, at: &str, language: &str, found: &mut Vec<Diagnostic>) {
    let message = format!("the text of day 1 in `{language}` does not tell people how to stop");
    found.push(
        Diagnostic::new(Code::NoOptOutHint, document.key_place(at), message)
            .help("end it with `{{ optOutHint }}`, or say STOP in your own words"),
    );
}

/// Reports texts in the same language twice: `fr` and `FR` are one language.
fn repeated_languages(document: &Document<'_>, at: &str, texts: &[(Key, Node)], found: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<Language, &Key> = BTreeMap::new();
    for (key, _) in texts {
        let Ok(language) = Language::parse(&key.name) else { continue };
        match seen.get(&language) {
            // A general check reports the same spelling twice in any mapping.
            Some(first) if first.name != key.name => {
                let message = format!("`{}` and `{}` are the same language", first.name, key.name);
                let place = document.key_place(&join(at, &key.name));
                found.push(Diagnostic::new(Code::DuplicateKey, place, message).help("remove one of them"));
            }
            Some(_) => {}
            None => {
                seen.insert(language, key);
            }
        }
    }
}

fn same_every_day(document: &Document<'_>, at: &str, days: &[Node], found: &mut Vec<Diagnostic>) {
    let texts = |day: &Node| -> Vec<(String, String)> {
        let entries = day.get("text").map(Node::entries).unwrap_or_default();
        entries.iter().filter_map(|(key, node)| Some((key.name.clone(), node.text()?.to_owned()))).collect()
    };
    let Some((first, rest)) = days.split_first() else { return };
    let wanted = texts(first);
    if !rest.is_empty() && !wanted.is_empty() && rest.iter().all(|day| texts(day) == wanted) {
        let place = document.key_place(&format!("{at}/1/text"));
        let message = format!("all {} days have the same text", days.len());
        found.push(Diagnostic::new(Code::SameTextEveryDay, place, message).help("write a text for each day"));
    }
}

/// Checks the numbers of days; with `whole` they must form a sequence without gaps.
pub(in crate::core::manifest) fn check_numbers(
    document: &Document<'_>,
    at: &str,
    days: &[DaySpec],
    whole: bool,
    found: &mut Vec<Diagnostic>,
) {
    let mut seen: BTreeMap<u16, usize> = BTreeMap::new();
    for (index, day) in days.iter().enumerate() {
        match seen.get(&day.day) {
            Some(first) => {
                let place = document.place(&format!("{at}/{index}/day"));
                let message = format!("day {} is there twice", day.day);
                let first = document.place(&format!("{at}/{first}/day"));
                found.push(
                    Diagnostic::new(Code::DuplicateDay, place, message)
                        .related(first, "first here")
                        .help("give each day a number of its own"),
                );
            }
            None => {
                seen.insert(day.day, index);
            }
        }
    }
    let gap = seen.iter().zip(1_u16..).find(|((day, _), expected)| **day != *expected);
    if let (true, Some(((day, index), expected))) = (whole, gap) {
        let place = document.place(&format!("{at}/{index}/day"));
        let message = if expected == 1 {
            format!("the sequence begins with day {day}, not with day 1")
        } else {
            format!("day {expected} is missing: day {} is followed by day {day}", expected - 1)
        };
        found.push(Diagnostic::new(Code::DayGap, place, message).help("number the days 1, 2, 3 … without gaps"));
    }
}

pub(in crate::core::manifest) fn check_fallback(
    document: &Document<'_>,
    at: &str,
    days: &[DaySpec],
    fallback: &Language,
    found: &mut Vec<Diagnostic>,
) {
    for (index, day) in days.iter().enumerate() {
        if let Some(template) = &day.whatsapp_template {
            let at = format!("{at}/{index}/whatsappTemplate");
            template.check_languages(document, &at, (day, fallback), found);
        }
        if day.text.contains_key(fallback) {
            continue;
        }
        let place = document.place(&format!("{at}/{index}/text"));
        let has: BTreeSet<&str> = day.text.keys().map(Language::as_str).collect();
        let has = has.into_iter().collect::<Vec<_>>().join("`, `");
        let message = format!("day {} has no text in the fallback language `{fallback}`, only in `{has}`", day.day);
        found.push(
            Diagnostic::new(Code::MissingFallbackText, place, message)
                .help(format!("add `{fallback}:` here; people without a text in their language get it")),
        );
    }
}
