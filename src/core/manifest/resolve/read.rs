//! The reading of one file into manifests: documents, kinds, shapes, and checks of each manifest on its own.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::unseen;
use crate::core::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::annotations;
use crate::core::manifest::kinds::campaign::CampaignSpec;
use crate::core::manifest::kinds::days;
use crate::core::manifest::kinds::sequence::{SequenceSpec, sole_language};
use crate::core::manifest::parsed::{Manifest, Spec};
use crate::core::manifest::schema::checker;
use crate::core::manifest::schema::shape;
use crate::core::manifest::syntax::document::{Document, File, join};
use crate::core::manifest::syntax::expansion::Expansion;
use crate::core::manifest::syntax::fault::Failure;
use crate::core::manifest::syntax::header;
use crate::core::manifest::syntax::sources::MAX_FILE_BYTES;
use crate::core::manifest::syntax::yaml;
use crate::core::manifest::syntax::yaml::Node;
use crate::core::manifest::testcase as campaign_test;

/// The limit of findings per file. It keeps a malicious file from filling the memory, and people read no more.
const MAX_PROBLEMS: usize = 1000;

/// The contents of one file.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct Reading<'a> {
    pub(in crate::core::manifest) manifests: Vec<Manifest<'a>>,
    pub(in crate::core::manifest) found: Vec<Diagnostic>,
    /// Manifests that could not be read but whose names are known, with their places.
    pub(in crate::core::manifest) lost: Vec<(Kind, Name, Span)>,
    /// At least one manifest has no readable name.
    pub(in crate::core::manifest) unnamed: bool,
    /// One of the unnamed manifests may be `Defaults`.
    pub(in crate::core::manifest) hides_defaults: bool,
    pub(in crate::core::manifest) documents: usize,
}

/// Reads one file; what its aliases repeat is taken from `expansion`.
pub(in crate::core::manifest) fn read<'a>(file: &'a File<'a>, expansion: &Expansion) -> Reading<'a> {
    let mut reading = Reading::default();
    let bytes = &file.source.bytes;
    let refused =
        |code, span, message: String, help: &str| Diagnostic::new(code, file.place(span, ""), message).help(help);
    if bytes.len() > MAX_FILE_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_FILE_BYTES / 1024 / 1024);
        let help = "split it: several files mean the same as one";
        reading.found.push(refused(Code::FileTooLarge, Span::default(), message, help));
        reading.hide();
        return reading;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            for range in yaml::documents(text) {
                if reading.found.len() > MAX_PROBLEMS {
                    let message = format!("the file has more than {MAX_PROBLEMS} problems: the rest was not looked at");
                    let help = "correct those above first; is it a manifest at all?";
                    reading.found.push(refused(
                        Code::TooManyProblems,
                        Span::new(range.start, range.start),
                        message,
                        help,
                    ));
                    reading.hide();
                    break;
                }
                reading.document((file, text, range), expansion);
            }
            unseen::invisible_characters(text, &mut reading.found);
        }
        Err(error) => {
            let at = error.valid_up_to();
            let span = Span::new(at, at + error.error_len().unwrap_or(1));
            let help = "save it as UTF-8, for instance with `iconv -f WINDOWS-1252 -t UTF-8`";
            reading.found.push(refused(Code::InvalidUtf8, span, "the file is not UTF-8".to_owned(), help));
            reading.hide();
        }
    }
    reading
}

impl<'a> Reading<'a> {
    fn document(&mut self, (file, text, range): (&'a File<'a>, &str, Span), expansion: &Expansion) {
        let parsed = yaml::parse(text, range)
            .and_then(|nodes| if expansion.take(&nodes, range) { Ok(nodes) } else { Err(Failure::of_aliases(range)) });
        match parsed {
            Ok(nodes) => {
                for (index, root) in nodes.into_iter().enumerate() {
                    self.documents += 1;
                    self.manifest(Document::new(file, range, index, root));
                }
            }
            Err(failure) => {
                self.documents += 1;
                let place = file.place(failure.span, "");
                self.found.push(Diagnostic::new(failure.code, place, failure.message).help_if(failure.help));
                match salvage(&text[range.start..range.end]) {
                    Some((kind, name)) => self.lost.push((kind, name, range)),
                    None => self.hide(),
                }
            }
        }
    }

    fn manifest(&mut self, mut document: Document<'a>) {
        let before = self.found.len();
        repeated_keys(&document, document.root(), "", &mut self.found);
        let name = document.node("/metadata/name").and_then(Node::text).and_then(|name| Name::parse(name).ok());
        let Some(kind) = header::kind(&document, &mut self.found) else {
            // A manifest with a misspelt kind may be a running campaign.
            self.hide();
            return;
        };
        header::api_version(&document, &mut self.found);
        let spec = spec(&document, kind, &mut self.found);
        unseen::comments_in_text(&document, kind, before, &mut self.found);
        let annotations = annotations::read(&document, kind, name.as_ref(), &mut self.found);
        let broken = self.found[before..].iter().any(Diagnostic::is_error);
        if let Some(name) = name {
            document.forget();
            self.manifests.push(Manifest { document, kind, name, spec, broken, annotations });
        } else {
            self.unnamed = true;
            self.hides_defaults |= kind == Kind::Defaults;
        }
    }

    /// Records that a manifest exists whose kind and name are unknown.
    fn hide(&mut self) {
        self.unnamed = true;
        self.hides_defaults = true;
    }
}

/// Checks a manifest inside another one, as far as possible without the tree.
fn nested(document: &Document<'_>, at: &str, found: &mut Vec<Diagnostic>) -> Option<(Kind, Name)> {
    header::within(document, at, found, |inner, inside| {
        let kind = header::nested_kind(inner, inside)?;
        header::api_version(inner, inside);
        drop(spec(inner, kind, inside));
        Some((kind, Name::parse(inner.node("/metadata/name")?.text()?).ok()?))
    })
}

/// Reads a manifest of a known kind, and checks everything that needs no other manifest.
fn spec(document: &Document<'_>, kind: Kind, found: &mut Vec<Diagnostic>) -> Option<Spec> {
    let mut value = document.root().to_json();
    let mut shape = shape::check(document, kind, checker(kind), &value);
    let mut inside = Vec::new();
    if !shape.found.is_empty() {
        shape::prune(&mut value, &mut shape.bad);
    }
    let well_formed = shape.found.is_empty();
    found.append(&mut shape.found);
    let spec = match take_spec(value, kind) {
        Ok(spec) => {
            check_spec(&spec, document, &mut inside);
            Some(spec)
        }
        Err(error) => {
            if well_formed {
                // The schema should refuse everything that the types refuse. If it does not, the mistake is still
                // reported.
                let message = format!("the manifest cannot be read: {error}");
                found.push(Diagnostic::new(Code::InvalidValue, document.place("/spec"), message));
            }
            None
        }
    };
    if matches!(kind, Kind::Sequence | Kind::Campaign) {
        days::check_texts(document, "/spec/days", &mut inside);
    }
    // A removed bad value may be the reason why a key seems to be missing.
    let concerned = |at: &str| {
        let below = |bad: &String| bad.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        shape.bad.iter().any(below)
    };
    found.extend(inside.into_iter().filter(|d| !concerned(&d.place.pointer)));
    spec
}

fn take_spec(mut value: Value, kind: Kind) -> Result<Spec, serde_json::Error> {
    let spec = value.get_mut("spec").map(Value::take).unwrap_or_default();
    Ok(match kind {
        Kind::Campaign => Spec::Campaign(typed(spec)?),
        Kind::Filter => Spec::Filter(typed(spec)?),
        Kind::Schedule => Spec::Schedule(typed(spec)?),
        Kind::Sequence => Spec::Sequence(typed(spec)?),
        Kind::Defaults => Spec::Defaults(typed(spec)?),
        Kind::Channel => Spec::Channel(Box::new(typed(spec)?)),
        Kind::Queue => Spec::Queue(typed(spec)?),
        Kind::Account => Spec::Account(Box::new(typed(spec)?)),
        Kind::Notifier => Spec::Notifier(typed(spec)?),
        Kind::CampaignTest => Spec::CampaignTest(Box::new(typed(spec)?)),
    })
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    T::deserialize(value)
}

fn check_spec(spec: &Spec, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
    match spec {
        Spec::Campaign(campaign) => check_campaign(campaign, document, found),
        Spec::Filter(filter) => filter.check(document, "/spec", found),
        Spec::Schedule(schedule) => schedule.check(document, "/spec", found),
        Spec::Sequence(sequence) => check_sequence(sequence, document, found),
        Spec::Defaults(defaults) => {
            if let Some(schedule) = &defaults.schedule {
                schedule.check(document, "/spec/schedule", found);
            }
            if let Some(safety) = defaults.safety {
                safety.check(document, found);
            }
        }
        Spec::Account(account) => account.check(document, found),
        Spec::Notifier(notifier) => notifier.check(document, found),
        Spec::Channel(channel) => channel.check(document, found),
        Spec::Queue(_) => {}
        Spec::CampaignTest(test) => {
            let overlaid: Vec<_> = test.overlay_places().map(|at| nested(document, &at, found)).collect();
            campaign_test::check(test, &overlaid, document, found);
        }
    }
}

fn check_campaign(campaign: &CampaignSpec, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
    if let Some(filter) = &campaign.filter {
        filter.check(document, "/spec/filter", found);
    }
    if let Some(schedule) = &campaign.schedule {
        schedule.check(document, "/spec/schedule", found);
    }
    let twice = [
        ("filter", campaign.filter.is_some() && campaign.filter_ref.is_some()),
        ("schedule", campaign.schedule.is_some() && campaign.schedule_ref.is_some()),
    ];
    for (key, _) in twice.into_iter().filter(|(_, twice)| *twice) {
        let place = document.key_place(&format!("/spec/{key}Ref"));
        let message = format!("the campaign has both `{key}` and `{key}Ref`");
        found.push(
            Diagnostic::new(Code::InlineAndReference, place, message)
                .related(document.key_place(&format!("/spec/{key}")), "written out here")
                .help("remove one of them"),
        );
    }
    if let Some(days) = &campaign.days {
        days::check_numbers(document, "/spec/days", days, false, found);
    }
}

fn check_sequence(sequence: &SequenceSpec, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
    days::check_numbers(document, "/spec/days", &sequence.days, true, found);
    match &sequence.fallback_language {
        Some(fallback) => days::check_fallback(document, "/spec/days", &sequence.days, fallback, found),
        // A misspelt key is reported as unknown, with this key as the help.
        None if misspelt(document, "/spec", "fallbackLanguage") => {}
        None if sole_language(&sequence.days).is_none() => {
            let message = "`spec` has no `fallbackLanguage`";
            let help = "add `fallbackLanguage:`, a language that every day has; people without a text in theirs get it";
            found.push(Diagnostic::new(Code::MissingKey, document.place("/spec"), message).help(help));
        }
        None => {}
    }
}

fn misspelt(document: &Document<'_>, at: &str, key: &str) -> bool {
    let keys = document.node(at).map(Node::entries).unwrap_or_default();
    keys.iter().any(|(found, _)| nearest(&found.name, [key]).is_some())
}

fn repeated_keys(document: &Document<'_>, node: &Node, at: &str, found: &mut Vec<Diagnostic>) {
    let mut seen: std::collections::HashMap<&str, Span> = std::collections::HashMap::new();
    for (key, value) in node.entries() {
        let at = join(at, &key.name);
        if found.len() > MAX_PROBLEMS {
            return;
        }
        if let Some(first) = seen.get(key.name.as_str()) {
            let message = format!("the key `{}` is there twice", key.name);
            found.push(
                Diagnostic::new(Code::DuplicateKey, document.file.place(key.span, &at), message)
                    .related(document.file.place(*first, &at), "first here")
                    .help("remove one of them"),
            );
        } else {
            seen.insert(&key.name, key.span);
        }
        if !value.is_scalar() {
            repeated_keys(document, value, &at, found);
        }
    }
    for (index, item) in node.items().iter().enumerate().filter(|(_, item)| !item.is_scalar()) {
        repeated_keys(document, item, &format!("{at}/{index}"), found);
    }
}

/// Finds the kind and name of a document that is not YAML, as far as its lines show them. References to it are then
/// not reported as well.
fn salvage(text: &str) -> Option<(Kind, Name)> {
    let word = |line: &str| line.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned();
    let kind = text.lines().find_map(|line| line.trim_start_matches('\u{feff}').strip_prefix("kind:"))?;
    let metadata = text.lines().skip_while(|line| !line.starts_with("metadata:"));
    let name = metadata.map(str::trim).find_map(|line| {
        let (before, name) = line.split_once("name:")?;
        let inline = before.starts_with("metadata:");
        (inline || before.is_empty()).then(|| word(name.split([',', '}']).next().unwrap_or_default()))
    })?;
    Some((Kind::parse(&word(kind))?, Name::parse(&name).ok()?))
}
