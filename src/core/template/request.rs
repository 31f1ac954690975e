//! Request templates: the bodies and URLs sent to other servers.
//!
//! Every inserted value is escaped, so no message text can change the structure of the request.

use std::collections::HashSet;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde::Serialize;

use super::bounds::within_bounds;
use super::{Problem, RenderError, environment};

/// The escaping of inserted values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// JSON; texts include their quotes.
    Json,
    /// Percent-encoding, for URLs and forms.
    Percent,
}

/// A compiled template with its escaping.
#[derive(Debug)]
pub struct RequestTemplate {
    environment: Environment<'static>,
    used: HashSet<String>,
}

impl RequestTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    /// Returns the first mistake of the template.
    pub fn compile(source: &str, escape: Escape) -> Result<Self, Problem> {
        let mut environment = environment();
        match escape {
            Escape::Json => environment.set_auto_escape_callback(|_| AutoEscape::Json),
            Escape::Percent => environment.set_formatter(|out, _, value| Ok(out.write_str(&percent(value))?)),
        }
        let parse = || {
            environment.add_template_owned("", source.to_owned()).map_err(|error| Problem::syntax(&error))?;
            let used = environment.get_template("").map(|template| template.undeclared_variables(false));
            Ok(used.unwrap_or_default())
        };
        let used = within_bounds(source, parse)??;
        Ok(Self { environment, used })
    }

    /// Returns true if the template uses the variable.
    pub fn uses(&self, variable: &str) -> bool {
        self.used.contains(variable)
    }

    /// Renders the template.
    ///
    /// # Errors
    /// Returns a sentence when a variable is undefined or a limit is reached.
    pub fn render(&self, values: impl Serialize) -> Result<String, RenderError> {
        let template = self.environment.get_template("").expect("it was compiled under this name");
        template.render(Serde(values)).map_err(|error| RenderError::of(&error, template.source()))
    }
}

/// Encodes every character with a meaning in URLs or forms as `%` and two digits; an absent value becomes empty text.
fn percent(value: &Value) -> String {
    if value.is_none() {
        return String::new();
    }
    let mut text = String::new();
    for byte in value.to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Escape, RequestTemplate};

    const NASTY: &str = "\"}, {\"a\": \\ \n\r\t\u{2028}</script>{{ phone }}&x=1#é🙂\u{1}";

    fn render(source: &str, escape: Escape, text: &str) -> Result<String, String> {
        let template = RequestTemplate::compile(source, escape).map_err(|problem| problem.message)?;
        template.render(json!({"text": text, "none": null, "list": [text]})).map_err(|error| error.to_string())
    }

    #[test]
    fn inserted_values_never_change_the_request_structure() {
        let body = render(r#"{"a": {{ text }}, "b": {{ list }}, "c": {{ "x" ~ text }}}"#, Escape::Json, NASTY).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, json!({"a": NASTY, "b": [NASTY], "c": format!("x{NASTY}")}));
        let form = render("a={{ text }}&b={{ none }}", Escape::Percent, "a b&c=d/é\n").unwrap();
        assert_eq!(form, "a=a%20b%26c%3Dd%2F%C3%A9%0A&b=");
    }

    #[test]
    fn undefined_variables_and_endless_loops_are_errors() {
        for escape in [Escape::Json, Escape::Percent] {
            assert_eq!(render("{{ txt }}", escape, "").unwrap_err(), "a value at `txt` is not defined");
            assert!(render("{% for a in range(9999) %}{{ range(9999) }}{% endfor %}", escape, "").is_err());
            assert!(render("{{ text", escape, "").is_err());
        }
    }

    #[test]
    fn a_request_template_lists_the_variables_it_uses() {
        let template =
            RequestTemplate::compile("{% for one in media %}{{ one.url }}{% endfor %}", Escape::Json).unwrap();
        assert!(template.uses("media") && !template.uses("text") && !template.uses("one"));
    }
}
