//! Message templates: compiled once, checked without people, rendered within limits.
//!
//! An undefined variable is an error, both in a check and in a rendering. Fuel limits the time and memory of each
//! rendering. Values are not escaped, since messages are plain text.

mod bounds;
mod check;
mod request;

use std::collections::BTreeMap;
use std::ops::Range;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use self::bounds::within_bounds;
pub use self::check::{Findings, Literal, Problem, ProblemKind, check, literal};
pub use self::request::{Escape, RequestTemplate};
use crate::core::domain::Language;

/// The variables of templates, beside `attributes`, whose keys are the extra columns of an import.
pub const VARIABLES: [&str; 10] = [
    "name",
    "referrerName",
    "day",
    "daysTotal",
    "country",
    "profession",
    "language",
    "registeredAt",
    "optOutHint",
    "attributes",
];

/// The fuel of one rendering in steps, each worth 64 bytes of output too: a few milliseconds and one megabyte at most.
const FUEL: u64 = 20_000;
const NUL: &str = "the text holds a NUL character, which no channel takes";
/// The output limit of one rendering; no channel needs more.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;

/// The values of one person for one message. Unknown values are empty, but absent attributes are undefined.
#[derive(Debug, Clone, Copy)]
pub struct Vars<'a> {
    pub name: &'a str,
    pub referrer_name: &'a str,
    pub day: u16,
    pub days_total: u16,
    pub country: &'a str,
    pub profession: &'a str,
    /// The language of the rendered text.
    pub language: &'a str,
    /// The local day, such as `2026-11-30`.
    pub registered_at: &'a str,
    /// The text of [`opt_out_hint`].
    pub opt_out_hint: &'a str,
    pub attributes: &'a BTreeMap<String, String>,
}

impl Vars<'_> {
    fn values(&self) -> Value {
        let values = [
            Value::from(self.name),
            Value::from(self.referrer_name),
            Value::from(self.day),
            Value::from(self.days_total),
            Value::from(self.country),
            Value::from(self.profession),
            Value::from(self.language),
            Value::from(self.registered_at),
            Value::from(self.opt_out_hint),
            Value::from_pairs(self.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str()))),
        ];
        Value::from_pairs(VARIABLES.into_iter().zip(values))
    }
}

/// The reason why a text could not be rendered. It concerns the template, not the channel, and would fail for other
/// people too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RenderError {
    message: String,
    /// The byte range in the template.
    pub range: Option<Range<usize>>,
}

impl RenderError {
    fn of(error: &Error, source: &str) -> Self {
        Self { message: sentence(error, source), range: error.range() }
    }

    /// Returns an error about the text as a whole.
    fn whole(message: impl Into<String>) -> Self {
        Self { message: message.into(), range: None }
    }
}

/// One compiled template.
#[derive(Debug)]
pub struct Template(Environment<'static>);

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// Returns the first mistake of the template; [`check()`] finds more of them.
    pub fn compile(source: &str) -> Result<Self, Problem> {
        let mut environment = environment();
        let parse = || environment.add_template_owned("", source.to_owned()).map_err(|error| Problem::syntax(&error));
        within_bounds(source, parse)??;
        Ok(Self(environment))
    }

    /// Renders the template.
    ///
    /// # Errors
    /// Returns a sentence when a variable is undefined or a limit is reached.
    pub fn render(&self, vars: &Vars<'_>) -> Result<String, RenderError> {
        let template = self.0.get_template("").expect("it was compiled under this name");
        let text = template.render(vars.values()).map_err(|error| RenderError::of(&error, template.source()))?;
        if text.contains('\0') {
            return Err(RenderError::whole(NUL));
        }
        if text.len() > MAX_OUTPUT_BYTES {
            return Err(RenderError::whole(format!("the text is longer than {MAX_OUTPUT_BYTES} bytes")));
        }
        Ok(text)
    }

    /// Returns the names of the attributes that the template uses literally.
    pub fn attributes(&self) -> impl Iterator<Item = String> {
        let template = self.0.get_template("").expect("it was compiled under this name");
        let used = within_bounds(template.source(), || template.undeclared_variables(true)).unwrap_or_default();
        used.into_iter().filter_map(|name| name.strip_prefix("attributes.").map(str::to_owned))
    }
}

fn environment<'source>() -> Environment<'source> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    // Only its fields outlive a turn of a loop, so only they could nest a value without limit.
    environment.remove_global("namespace");
    environment
}

/// Returns the instructions for opting out, in the language of the message.
pub fn opt_out_hint(language: &Language) -> &'static str {
    match language.primary() {
        "fr" => "Répondez STOP pour ne plus recevoir de messages.",
        "es" => "Responda STOP para no recibir más mensajes.",
        "pt" => "Responda STOP para não receber mais mensagens.",
        "de" => "Antworten Sie STOP, um keine Nachrichten mehr zu erhalten.",
        "it" => "Rispondi STOP per non ricevere più messaggi.",
        "ar" => "أرسل STOP لإيقاف الرسائل.",
        "sw" => "Jibu STOP ili usipokee ujumbe tena.",
        _ => "Reply STOP to opt out.",
    }
}

fn sentence(error: &Error, source: &str) -> String {
    let part = || error.range().and_then(|range| source.get(range)).map(str::trim).filter(|part| !part.is_empty());
    match error.kind() {
        ErrorKind::UndefinedError => match part() {
            Some(part) if is_path(part) => format!("`{part}` is not defined"),
            // The place is a statement or a filter; the undefined value is somewhere inside.
            Some(part) => format!("a value at `{part}` is not defined"),
            None => "the template uses a value that is not defined".to_owned(),
        },
        ErrorKind::OutOfFuel => "the template does too much work or writes too much text".to_owned(),
        kind => error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
    }
}

/// Returns true if the text is a variable or a path into one.
fn is_path(part: &str) -> bool {
    let mut names = part.split('.');
    names.next().is_some_and(|first| VARIABLES.contains(&first))
        && names.all(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Template, Vars, opt_out_hint};
    use crate::core::domain::Language;

    fn vars(attributes: &BTreeMap<String, String>) -> Vars<'_> {
        Vars {
            name: "Paul <&>",
            referrer_name: "Aminata",
            day: 2,
            days_total: 7,
            country: "CM",
            profession: "",
            language: "fr",
            registered_at: "2026-11-30",
            opt_out_hint: "STOP",
            attributes,
        }
    }

    fn render(source: &str) -> Result<String, String> {
        let attributes = BTreeMap::from([("city".to_owned(), "Douala".to_owned())]);
        let template = Template::compile(source).map_err(|problem| problem.message)?;
        template.render(&vars(&attributes)).map_err(|error| error.to_string())
    }

    #[test]
    fn renders_plain_text_without_escaping() {
        let text = "{{ name }} ({{ day }}/{{ daysTotal }}), {{ referrerName }}, {{ attributes.city }}{{ profession }}.";
        assert_eq!(render(text).unwrap(), "Paul <&> (2/7), Aminata, Douala.");
        assert_eq!(render("{% if profession %}a{% else %}b{% endif %}").unwrap(), "b");
    }

    #[test]
    fn undefined_variables_and_endless_loops_are_errors() {
        for bad in [
            "{{ nmae }}",
            "{{ attributes.town }}",
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
            "{{ 'x' * 999999999 }}",
            "{{ name | nofilter }}",
            "{% include 'x' %}",
        ] {
            assert!(render(bad).is_err(), "{bad}");
        }
        assert!(render("{{ name").is_err());
    }

    #[test]
    fn an_undefined_variable_is_named_with_its_place() {
        let attributes = BTreeMap::new();
        for (source, wanted) in [
            ("ç {{ attributes.town }}", "attributes.town"),
            ("{% if attributes.town == 'x' %}{% endif %}", "if attributes.town == 'x'"),
            ("{{ attributes.town|upper }}", "upper"),
        ] {
            let error = Template::compile(source).unwrap().render(&vars(&attributes)).unwrap_err();
            assert_eq!(error.range.clone().map(|range| &source[range]), Some(wanted));
            let whole = wanted == "attributes.town";
            let subject = if whole { format!("`{wanted}`") } else { format!("a value at `{wanted}`") };
            assert_eq!(error.to_string(), format!("{subject} is not defined"));
        }
    }

    #[test]
    fn a_template_lists_the_attributes_it_uses() {
        let template =
            Template::compile("{{ name }} {{ attributes.b }}{% if attributes.a %}{{ attributes.b }}{% endif %}");
        let mut names: Vec<String> = template.unwrap().attributes().collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn opt_out_hints_follow_the_language() {
        let hint = |tag: &str| opt_out_hint(&Language::parse(tag).unwrap());
        assert!(hint("fr-CM").starts_with("Répondez"));
        assert_eq!(hint("ff"), "Reply STOP to opt out.");
    }
}
