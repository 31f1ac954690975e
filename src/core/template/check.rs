//! The checks of templates that need no person.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use minijinja::value::Object;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::bounds::within_bounds;
use super::{NUL, VARIABLES, environment, sentence};
use crate::core::diagnostic::did_you_mean;

/// A mistake in a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    pub kind: ProblemKind,
    pub message: String,
    /// The byte range in the template.
    pub range: Option<Range<usize>>,
    pub help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    Syntax,
    UnknownVariable,
    /// The template is well-formed but cannot be rendered.
    Fails,
}

impl Problem {
    pub(super) fn syntax(error: &Error) -> Self {
        let message = format!("the template is not valid: {}", detail(error));
        Self { kind: ProblemKind::Syntax, message, range: error.range(), help: None }
    }

    fn fails(error: &Error, source: &str) -> Self {
        Self { kind: ProblemKind::Fails, message: sentence(error, source), range: error.range(), help: None }
    }

    fn nul() -> Self {
        Self { kind: ProblemKind::Fails, message: NUL.to_owned(), range: None, help: Some("leave it out".to_owned()) }
    }

    fn unknown(name: &str, source: &str) -> Self {
        let help = did_you_mean(name, VARIABLES).unwrap_or_else(|| {
            format!("extra columns of an import are `attributes.{name}`; otherwise: `{}`", VARIABLES.join("`, `"))
        });
        let message = format!("there is no variable `{name}`");
        Self { kind: ProblemKind::UnknownVariable, message, range: find(source, name), help: Some(help) }
    }
}

/// The findings of [`check`] for one template.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub problems: Vec<Problem>,
    /// The template prints or tests `optOutHint`.
    pub has_opt_out_hint: bool,
}

/// Finds syntax errors, unknown variables, and everything that fails for a sample person.
pub fn check(source: &str) -> Findings {
    if !source.contains('{') {
        return Findings::default();
    }
    within_bounds(source, || check_parsed(source))
        .unwrap_or_else(|problem| Findings { problems: vec![problem], has_opt_out_hint: false })
}

fn check_parsed(source: &str) -> Findings {
    static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);
    let environment: &Environment<'_> = &ENVIRONMENT;
    let template = match environment.template_from_str(source) {
        Ok(template) => template,
        Err(error) => return Findings { problems: vec![Problem::syntax(&error)], has_opt_out_hint: false },
    };
    let mut used: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    used.sort_unstable();
    let has = |name: &str| used.iter().any(|used| used == name);
    let mut problems: Vec<Problem> = used
        .iter()
        .filter(|name| !VARIABLES.contains(&name.as_str()) && !environment.globals().any(|(known, _)| known == *name))
        .map(|name| Problem::unknown(name, source))
        .collect();
    if problems.is_empty() {
        match template.render(sample()) {
            Err(error) if !has("attributes") || certain(error.kind()) => problems.push(Problem::fails(&error, source)),
            Ok(text) if text.contains('\0') => problems.push(Problem::nul()),
            Ok(_) | Err(_) => {}
        }
    }
    Findings { problems, has_opt_out_hint: has("optOutHint") }
}

/// The text of a template outside of braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    pub text: String,
    /// The template is this text: it has no braces.
    pub is_whole: bool,
}

/// Returns the text that every rendering of the template contains; `None` if a statement decides what is written.
pub fn literal(source: &str) -> Option<Literal> {
    let (mut text, mut rest) = (String::new(), source);
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{#")).chain(rest.find("{%")).min() {
        let (before, tag) = rest.split_at(at);
        let close = match tag.get(..2) {
            Some("{{") => "}}",
            Some("{#") => "#}",
            _ => return None,
        };
        text.push_str(before);
        rest = &tag[tag.find(close)? + close.len()..];
    }
    text.push_str(rest);
    Some(Literal { is_whole: text.len() == source.len(), text })
}

/// Returns true if the error is independent of the values, which attributes may change.
fn certain(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::OutOfFuel
            | ErrorKind::TemplateNotFound
    )
}

fn sample() -> Value {
    static SAMPLE: LazyLock<Value> = LazyLock::new(|| {
        let text = |text: &str| Value::from(text);
        let values = [
            text("Aminata"),
            text("Paul"),
            Value::from(1),
            Value::from(7),
            text("CM"),
            text("Enseignante"),
            text("fr"),
            text("2026-11-30"),
            text("STOP"),
            Value::from_object(AnyAttribute),
        ];
        Value::from_pairs(VARIABLES.into_iter().zip(values))
    });
    SAMPLE.clone()
}

/// The attributes of the sample person, with a value for every name.
#[derive(Debug)]
struct AnyAttribute;

impl Object for AnyAttribute {
    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from("1"))
    }
}

fn detail(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// Finds the first use of a variable: a whole word after the first opening brace.
fn find(source: &str, name: &str) -> Option<Range<usize>> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let begin = source.find("{{").into_iter().chain(source.find("{%")).min()?;
    source[begin..].match_indices(name).map(|(at, _)| begin + at).find_map(|at| {
        let end = at + name.len();
        let inside = source[..at].rfind(['{', '}']).is_some_and(|brace| source[brace..].starts_with('{'));
        let apart = !source[..at].ends_with(|c| word(c) || c == '.') && !source[end..].starts_with(word);
        (inside && apart).then_some(at..end)
    })
}

#[cfg(test)]
mod tests {
    use super::{ProblemKind, check};

    #[test]
    fn a_template_check_needs_no_person_and_locates_problems() {
        let found = |source: &str| {
            let problems = check(source).problems;
            problems.into_iter().map(|p| (p.kind, p.range.map(|r| source[r].to_owned()))).collect::<Vec<_>>()
        };
        assert_eq!(found("ç {{ name }}, nmae {{ nmae|upper }}"), [(ProblemKind::UnknownVariable, Some("nmae".into()))]);
        assert_eq!(found("{{ attributes.city }} {% if optOutHint %}{% endif %}"), []);
        assert_eq!(found("{% for i in range(3) %}{{ i }}{% endfor %}{% set x = 1 %}{{ x }}"), []);
        assert_eq!(found("{{ attributes.n|int + 1 }}{{ attributes.d.nope }}"), []);
        let kinds = |source: &str| found(source).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(kinds("{{ name"), [ProblemKind::Syntax]);
        assert_eq!(kinds("{{ name|frobnicate }}"), [ProblemKind::Fails]);
        assert_eq!(kinds("{{ attributes.a|frobnicate }}"), [ProblemKind::Fails]);
        assert!(check("{{ optOutHint }}").has_opt_out_hint);
        assert!(!check("{{ name }}").has_opt_out_hint);
    }
}
