//! Schema errors, reworded for people and given a place.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Wrong;
use serde_json::Value;

use super::Checker;
use super::formats::Format;
use crate::core::diagnostic::{Code, Diagnostic, did_you_mean, nearest};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::document::{Document, join};

/// The limit of schema errors per document, since people read no more.
const MAX_ERRORS: usize = 100;
/// The depths at which keys of a manifest belong, apart from those inside a value.
const DEPTHS: [&str; 3] = ["", "/metadata", "/spec"];

/// The errors of a value, and the pointers of the parts to remove so that the rest can be read.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct Shape {
    pub(in crate::core::manifest) found: Vec<Diagnostic>,
    pub(in crate::core::manifest) bad: Vec<String>,
}

pub(in crate::core::manifest) fn check(document: &Document<'_>, kind: Kind, checker: &Checker, value: &Value) -> Shape {
    let mut shape = Shape::default();
    if checker.validator.is_valid(value) {
        return shape;
    }
    for error in checker.validator.iter_errors(value).take(MAX_ERRORS) {
        let at = error.instance_path().as_str();
        // The header check reports these two keys, since their values select the schema.
        if !matches!(at, "/apiVersion" | "/kind") {
            Look { document, kind, schema: &checker.schema, error: &error, at }.tell(&mut shape);
        }
    }
    shape
}

struct Look<'a, 'f> {
    document: &'a Document<'f>,
    kind: Kind,
    schema: &'a Value,
    error: &'a ValidationError<'a>,
    /// The JSON pointer of the value.
    at: &'a str,
}

impl Look<'_, '_> {
    fn tell(&self, shape: &mut Shape) {
        match self.error.kind() {
            Wrong::AdditionalProperties { unexpected } => {
                for key in unexpected.iter().take(MAX_ERRORS) {
                    shape.found.push(self.unknown_key(key));
                }
                shape.bad.extend(unexpected.iter().map(|key| join(self.at, key)));
                return;
            }
            Wrong::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                // A misspelt or misplaced key is reported as unknown, and the help says what it should be.
                if !self.is_misspelt(key) && !self.is_misplaced(key) {
                    shape.found.push(self.missing_key(key));
                }
                return;
            }
            Wrong::PropertyNames { error } => {
                let key = error.instance().as_str().unwrap_or_default();
                let at = join(self.at, key);
                let (code, message) = match error.kind() {
                    Wrong::Format { format } => refusal(format, key),
                    _ => (Code::InvalidValue, format!("`{key}` is not allowed as a key here")),
                };
                shape.found.push(Diagnostic::new(code, self.document.key_place(&at), message));
                shape.bad.push(at);
                return;
            }
            _ => shape.found.push(self.bad_value()),
        }
        shape.bad.push(self.at.to_owned());
    }

    fn unknown_key(&self, key: &str) -> Diagnostic {
        let place = self.document.key_place(&join(self.at, key));
        let known: Vec<&str> = self
            .sibling("properties")
            .and_then(Value::as_object)
            .map_or_else(Vec::new, |map| map.keys().map(String::as_str).collect());
        let owner = match self.at.rsplit('/').find(|step| step.parse::<usize>().is_err()) {
            None | Some("") => format!("a `{}` manifest", self.kind),
            Some("spec") => format!("the `spec` of a `{}`", self.kind),
            Some(step) => format!("`{step}`"),
        };
        let at_other_depth = || {
            let elsewhere = DEPTHS.into_iter().find(|at| self.knows(at, key))?;
            let to = elsewhere.trim_start_matches('/');
            let place = if to.is_empty() { "at the top of the manifest".to_owned() } else { format!("under `{to}`") };
            // A manifest that has the key at its place has a second one here.
            Some(match self.document.node(&join(elsewhere, key)) {
                Some(_) => format!("`{key}` is already {place}: remove this one, and move what is below it there"),
                None => format!("it belongs {place}"),
            })
        };
        let help = did_you_mean(key, known.iter().copied())
            .or_else(at_other_depth)
            .or_else(|| (!known.is_empty()).then(|| format!("known here: `{}`", known.join("`, `"))));
        Diagnostic::new(Code::UnknownKey, place, format!("unknown key `{key}` in {owner}")).help_if(help)
    }

    /// Returns true if a key beside the missing one is unknown, and so near that its help names the missing one.
    fn is_misspelt(&self, missing: &str) -> bool {
        let Some(known) = self.sibling("properties").and_then(Value::as_object) else { return false };
        let value = self.error.instance();
        let unknown =
            value.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| !known.contains_key(*key));
        let is_closed = self.sibling("additionalProperties") == Some(&Value::Bool(false));
        is_closed && unknown.into_iter().any(|key| nearest(key, known.keys().map(String::as_str)) == Some(missing))
    }

    /// Returns true if the missing key stands at another depth, where it is unknown.
    fn is_misplaced(&self, missing: &str) -> bool {
        let stands = |at: &&str| self.document.node(&join(at, missing)).is_some() && !self.knows(at, missing);
        DEPTHS.contains(&self.at) && DEPTHS.iter().any(|at| *at != self.at && stands(at))
    }

    /// Returns true if the schema knows a key at one of the upper depths.
    fn knows(&self, at: &str, key: &str) -> bool {
        let at = at.replace('/', "/properties/");
        self.schema.pointer(&join(&format!("{at}/properties"), key)).is_some()
    }

    fn missing_key(&self, key: &str) -> Diagnostic {
        let (place, owner) = match self.at.rsplit('/').next().unwrap_or_default() {
            "" => (self.document.place(""), "the manifest".to_owned()),
            step if step.parse::<usize>().is_ok() => (self.document.place(self.at), "this entry".to_owned()),
            step => (self.document.place(self.at), format!("`{step}`")),
        };
        let help = match (self.at, key) {
            ("", "metadata") => "add `metadata: {name: …}`",
            ("", "spec") => "add `spec:`; `spec: {}` when there is nothing to say",
            ("/metadata", "name") => "add `name:`, made of lower-case letters, digits and hyphens",
            _ => "add it; `relancectl schema KIND` describes every key",
        };
        Diagnostic::new(Code::MissingKey, place, format!("{owner} has no `{key}`")).help(help)
    }

    fn bad_value(&self) -> Diagnostic {
        let found = |code, message| Diagnostic::new(code, self.document.place(self.at), message);
        let name = self.name();
        match self.error.kind() {
            Wrong::Type { .. } => self.wrong_type(),
            Wrong::Enum { options } => self.unknown_word(options),
            Wrong::Format { format } => {
                let text = self.error.instance().as_str().unwrap_or_default();
                let (code, message) = refusal(format, text);
                let help = (code == Code::UnknownTimezone).then(|| near_zone(text)).flatten();
                found(code, message).help_if(help)
            }
            Wrong::Minimum { limit } => found(Code::OutOfRange, format!("{name} must be at least {limit}")).help_if(
                (self.at.starts_with("/spec/limits/")).then(|| {
                    let stop = match self.kind {
                        Kind::Account => "an account write `sending: off`",
                        _ => "a campaign write `state: paused`",
                    };
                    format!("leave it out for no limit of its own; to stop {stop}")
                }),
            ),
            Wrong::Maximum { limit } => found(Code::OutOfRange, format!("{name} must be at most {limit}")),
            Wrong::MinItems { .. } | Wrong::MinProperties { .. } | Wrong::MaxProperties { .. }
                if self.kind == Kind::CampaignTest && self.at.starts_with("/spec/steps") =>
            {
                let (message, help) = self.step_says();
                found(Code::StepKeys, message).help(help)
            }
            Wrong::MinItems { .. } | Wrong::MinProperties { .. } | Wrong::MinLength { .. } => {
                let code = if self.at.contains("windows") { Code::EmptyWindow } else { Code::OutOfRange };
                found(code, format!("{name} is empty")).help("give at least one, or remove the key")
            }
            Wrong::MaxProperties { .. } => {
                found(Code::InlineAndReference, format!("{name} takes one of its keys, not several"))
                    .help("keep one of them")
            }
            Wrong::MaxLength { limit } => {
                found(Code::OutOfRange, format!("{name} must have at most {limit} characters"))
            }
            _ => found(Code::WrongType, format!("{name} is not valid here: {}", self.error)),
        }
    }

    /// Returns a message and a help text for a step with several keys or none, or for an empty part of one.
    fn step_says(&self) -> (String, &'static str) {
        let is_step = self.at.rsplit_once('/').is_some_and(|(list, _)| list == "/spec/steps");
        match self.error.kind() {
            Wrong::MaxProperties { .. } => {
                ("a step says one thing, and this one says several".to_owned(), "make a step of each")
            }
            _ if is_step => ("the step says nothing".to_owned(), "give it one key, as in `advance: 8h`"),
            Wrong::MinItems { .. } if self.at.contains("/expect/") => {
                (format!("{} is empty, so it expects nothing", self.name()), "for no row at all, write `{count: 0}`")
            }
            _ => (format!("{} is empty", self.name()), "say something there, or remove it"),
        }
    }

    fn wrong_type(&self) -> Diagnostic {
        let place = self.document.place(self.at);
        let name = self.name();
        if self.sibling("properties").is_some_and(|keys| keys.get("fromEnv").is_some()) {
            let message = format!("{name} is a secret, and a manifest never holds one");
            let help = "write `{fromEnv: NAME}` or `{fromFile: PATH}`, and put the secret there";
            return Diagnostic::new(Code::LiteralSecret, place, message).help(help);
        }
        let expected = self.sibling("type").map_or_else(|| "something else".to_owned(), type_name);
        let value = self.error.instance();
        let raw = self.document.raw(self.at);
        let is_scalar = matches!(value.as_ref(), Value::Number(_) | Value::Bool(_));
        if let (true, Some(Value::Array(words))) = (is_scalar, self.sibling("enum")) {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            let message = format!("{name} cannot be `{}`", self.document.raw(self.at));
            let help = format!("use one of `{}`", words.join("`, `"));
            return Diagnostic::new(Code::UnknownValue, place, message).help(help);
        }
        if expected != "text" || !is_scalar {
            let help = value.is_null().then(|| "give it a value, or remove the key".to_owned());
            let message = format!("{name} must be {expected}, not {}", actual(value));
            return Diagnostic::new(Code::WrongType, place, message).help_if(help);
        }
        let format = self.sibling("format").and_then(Value::as_str).and_then(Format::find);
        if let Some(Err(sentence)) = format.map(|format| (format.parse)(raw)) {
            let code = format.map_or(Code::InvalidValue, |format| format.code);
            return Diagnostic::new(code, place, sentence);
        }
        let message = format!("{name} must be text, and `{raw}` without quotes is {}", actual(value));
        Diagnostic::new(Code::UnquotedNumber, place, message).help(format!("quote it: `\"{raw}\"`"))
    }

    fn unknown_word(&self, options: &Value) -> Diagnostic {
        let words: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let value = self.error.instance();
        let Some(text) = value.as_str() else {
            return self.wrong_type();
        };
        let place = self.document.place(self.at);
        let all = format!("`{}`", words.join("`, `"));
        let help = did_you_mean(text, words.iter().copied())
            .map_or_else(|| format!("use one of {all}"), |near| format!("{near} Allowed: {all}"));
        let help = if self.at == "/spec/accounts" {
            "write `all`, `{names: […]}` or `{matchLabels: {…}}`".to_owned()
        } else {
            help
        };
        Diagnostic::new(Code::UnknownValue, place, format!("{} cannot be `{text}`", self.name())).help(help)
    }

    /// Returns another keyword of the schema that the error comes from.
    fn sibling(&self, keyword: &str) -> Option<&Value> {
        let (parent, _) = self.error.schema_path().as_str().rsplit_once('/')?;
        self.schema.pointer(parent)?.get(keyword)
    }

    /// Returns the value in words: `` `every` ``, or an entry of a list.
    fn name(&self) -> String {
        let mut steps = self.at.rsplit('/');
        match steps.next().unwrap_or_default() {
            "" => "the manifest".to_owned(),
            step if step.parse::<usize>().is_ok() => {
                format!("an entry of `{}`", steps.find(|step| step.parse::<usize>().is_err()).unwrap_or_default())
            }
            step => format!("`{}`", step.replace("~1", "/").replace("~0", "~")),
        }
    }
}

fn refusal(format: &str, text: &str) -> (Code, String) {
    match Format::find(format) {
        Some(format) => match (format.parse)(text) {
            Err(sentence) => (format.code, sentence),
            Ok(()) => (format.code, format!("`{text}` is not valid here")),
        },
        None => (Code::InvalidValue, format!("`{text}` is not a `{format}`")),
    }
}

fn near_zone(text: &str) -> Option<String> {
    let zones: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    did_you_mean(text, zones.iter().map(String::as_str))
}

fn type_name(types: &Value) -> String {
    let one = |name: &str| match name {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a mapping",
        _ => "something else",
    };
    match types {
        Value::String(name) => one(name).to_owned(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(one).collect::<Vec<_>>().join(" or "),
        _ => "something else".to_owned(),
    }
}

fn actual(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with decimals",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// Removes bad values, so that the rest can still be checked. A list with a bad entry is removed as a whole, so that
/// entries never shift.
pub(in crate::core::manifest) fn prune(value: &mut Value, bad: &mut [String]) {
    for pointer in bad {
        while let Some((parent, step)) = pointer.rsplit_once('/') {
            let step = step.replace("~1", "/").replace("~0", "~");
            match value.pointer_mut(parent) {
                Some(Value::Object(map)) => {
                    map.swap_remove(&step);
                    break;
                }
                Some(_) => *pointer = parent.to_owned(),
                None => break,
            }
        }
    }
}
