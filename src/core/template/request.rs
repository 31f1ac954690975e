//! Templates of requests: what another server is sent, in its own form.
//!
//! Whatever is put into one is escaped, so that no text of a message can change what the request says.

use std::collections::HashSet;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde::Serialize;

use super::{Problem, RenderError, environment};

/// How values are put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// As JSON: texts with their quotes.
    Json,
    /// Percent-encoded, for addresses and forms.
    Percent,
}

/// One template with the way it escapes.
#[derive(Debug)]
pub struct RequestTemplate {
    environment: Environment<'static>,
    used: HashSet<String>,
}

impl RequestTemplate {
    /// # Errors
    /// The first mistake of the template.
    pub fn compile(source: &str, escape: Escape) -> Result<Self, Problem> {
        let mut environment = environment();
        match escape {
            Escape::Json => environment.set_auto_escape_callback(|_| AutoEscape::Json),
            Escape::Percent => environment.set_formatter(|out, _, value| Ok(out.write_str(&percent(value))?)),
        }
        environment.add_template_owned("", source.to_owned()).map_err(|error| Problem::syntax(&error))?;
        let used = environment.get_template("").map(|template| template.undeclared_variables(false));
        Ok(Self { used: used.unwrap_or_default(), environment })
    }

    /// Whether it asks for this variable.
    pub fn uses(&self, variable: &str) -> bool {
        self.used.contains(variable)
    }

    /// # Errors
    /// A sentence, when a variable is undefined or a limit is reached.
    pub fn render(&self, values: impl Serialize) -> Result<String, RenderError> {
        let template = self.environment.get_template("").expect("it was compiled under this name");
        template.render(Serde(values)).map_err(|error| RenderError::of(&error, template.source()))
    }
}

/// What has a meaning in addresses or forms becomes `%` and two digits; nothing becomes nothing.
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
    fn no_text_gets_out_of_its_place() {
        let body = render(r#"{"a": {{ text }}, "b": {{ list }}, "c": {{ "x" ~ text }}}"#, Escape::Json, NASTY).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, json!({"a": NASTY, "b": [NASTY], "c": format!("x{NASTY}")}));
        let form = render("a={{ text }}&b={{ none }}", Escape::Percent, "a b&c=d/é\n").unwrap();
        assert_eq!(form, "a=a%20b%26c%3Dd%2F%C3%A9%0A&b=");
    }

    #[test]
    fn what_is_undefined_or_endless_is_an_error() {
        for escape in [Escape::Json, Escape::Percent] {
            assert_eq!(render("{{ txt }}", escape, "").unwrap_err(), "a value at `txt` is not defined");
            assert!(render("{% for a in range(9999) %}{{ range(9999) }}{% endfor %}", escape, "").is_err());
            assert!(render("{{ text", escape, "").is_err());
        }
    }

    #[test]
    fn says_what_it_asks_for() {
        let template =
            RequestTemplate::compile("{% for one in media %}{{ one.url }}{% endfor %}", Escape::Json).unwrap();
        assert!(template.uses("media") && !template.uses("text") && !template.uses("one"));
    }
}
