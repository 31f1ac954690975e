//! The schema of `whatsappTemplate`, and the checks of what WhatsApp would refuse from everybody.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::days::check_template;
use super::formats;
use super::sequence::DaySpec;
use crate::core::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::core::domain::Language;
use crate::core::manifest::desired::{
    Button, ButtonType, Header, MAX_BODY, MAX_HEADER, Misfit, Parameters, Slot, WhatsappTemplate, is_template_language,
    one_line, template_languages,
};
use crate::core::manifest::syntax::document::{Document, join};
use crate::core::manifest::syntax::yaml::Node;
use crate::core::template::literal;

/// A template approved by WhatsApp.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct WhatsappTemplateSpec {
    /// The name of the template at WhatsApp.
    #[schemars(schema_with = "formats::template_name")]
    name: String,
    /// The language in which WhatsApp approved the template, or a list of them; by default those of `text`. People get
    /// theirs, else that of the account, else the fallback language.
    #[schemars(schema_with = "formats::languages")]
    #[serde(default)]
    language: Option<Languages>,
    /// The value of the placeholder of a text header: a template. With named placeholders, a mapping of the name to it.
    #[schemars(schema_with = "formats::header")]
    #[serde(default)]
    header: Option<Header>,
    /// The values of the placeholders: templates, in order, or by the names of the placeholders.
    #[schemars(schema_with = "formats::parameters")]
    #[serde(default)]
    parameters: Option<Parameters>,
    /// The values of buttons. Buttons without a value are left out.
    #[schemars(length(max = 10))]
    buttons: Option<Vec<ButtonSpec>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Languages {
    One(Language),
    Several(Vec<Language>),
}

/// The value of one button of a template.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ButtonSpec {
    /// The position among the buttons of the template, from 0; by default the position in this list.
    #[schemars(range(min = 0, max = 9))]
    index: Option<u8>,
    /// The type of the button.
    #[serde(rename = "type")]
    kind: ButtonType,
    /// The payload of a quick reply, the end of a button's URL, or the code to copy: a template.
    #[schemars(length(min = 1))]
    value: String,
}

impl WhatsappTemplateSpec {
    pub(super) fn resolve<'a>(self, of_text: impl Iterator<Item = &'a Language>) -> WhatsappTemplate {
        let languages: BTreeSet<Language> = match &self.language {
            None => of_text.cloned().collect(),
            Some(languages) => languages.all().iter().cloned().collect(),
        };
        let buttons = self.buttons.into_iter().flatten().zip(0..);
        let button = |(button, place): (ButtonSpec, u8)| Button {
            index: button.index.unwrap_or(place),
            kind: button.kind,
            value: button.value,
        };
        WhatsappTemplate {
            name: self.name,
            languages: languages.into_iter().collect(),
            header: self.header,
            parameters: self.parameters.unwrap_or_default(),
            buttons: buttons.map(button).collect(),
        }
    }

    pub(in crate::core::manifest) fn has_header(&self) -> bool {
        self.header.is_some()
    }

    /// Checks that the fallback language has the template, that every language of the text has it too, and that
    /// WhatsApp has templates in these languages.
    pub(super) fn check_languages(
        &self,
        document: &Document<'_>,
        at: &str,
        (day, fallback): (&DaySpec, &Language),
        found: &mut Vec<Diagnostic>,
    ) {
        let has = self.clone().resolve(day.text.keys()).languages;
        let has_like = |language: &Language| has.iter().any(|other| other.primary() == language.primary());
        let place = document.place(&if self.language.is_some() { format!("{at}/language") } else { at.to_owned() });
        let all = listed(has.iter());
        let day_number = day.day;
        if !has_like(fallback) {
            // A day without a text in the fallback language is reported as such.
            if day.text.contains_key(fallback) {
                let message = format!(
                    "the template of day {day_number} is not in the fallback language `{fallback}`, only in {all}"
                );
                let help = "people without a template in their language get that of the fallback: add the language \
                            once WhatsApp approved it";
                found.push(Diagnostic::new(Code::MissingFallbackText, place, message).help(help));
            }
            return;
        }
        let without: Vec<&Language> = day.text.keys().filter(|language| !has_like(language)).collect();
        if !without.is_empty() {
            let message = format!(
                "day {day_number} has a text in {}, and its template is only in {all}: these people get the template in \
                 another language",
                listed(without.into_iter())
            );
            let help = "list every language in which WhatsApp approved the template: `language: [fr, en]`";
            found.push(Diagnostic::new(Code::TemplateLanguage, place.clone(), message).help(help));
        }
        for language in has.iter().filter(|language| !is_template_language(language)) {
            let message = format!("WhatsApp has no templates in `{language}`");
            let near = template_languages().filter(|code| code.split('-').next() == Some(language.primary()));
            let near: Vec<String> = near.map(|code| format!("`{code}`")).collect();
            let help = match near.len() {
                0 => did_you_mean(language.as_str(), template_languages()),
                _ => Some(format!("it has {}", near.join(", "))),
            };
            found.push(Diagnostic::new(Code::TemplateLanguage, place.clone(), message).help_if(help));
        }
    }
}

impl Languages {
    fn all(&self) -> &[Language] {
        match self {
            Self::One(language) => std::slice::from_ref(language),
            Self::Several(languages) => languages,
        }
    }
}

fn listed<'a>(languages: impl Iterator<Item = &'a Language>) -> String {
    languages.map(|language| format!("`{language}`")).collect::<Vec<_>>().join(", ")
}

/// Checks the values of the template at `at`, as written.
pub(super) fn check(document: &Document<'_>, at: &str, template: &Node, found: &mut Vec<Diagnostic>) {
    let mut value = |at: &str, slot: Slot, node: &Node, most: Option<usize>| {
        let Some(text) = node.text() else { return };
        if !check_template_only(document, at, text, found) {
            return;
        }
        // The part outside of braces is the least that everybody gets; without braces it is the whole value.
        let Some(literal) = literal(text) else { return };
        let misfit = Misfit::of(slot, &one_line(&literal.text), most);
        if let Some(misfit) = misfit.filter(|misfit| literal.is_whole || !matches!(misfit, Misfit::Blank(_))) {
            let help = match &misfit {
                Misfit::Blank(_) => "write a value, or take the placeholder out at WhatsApp",
                Misfit::TooLong { .. } => "shorten it",
            };
            found.push(Diagnostic::new(Code::TemplateValue, document.place(at), misfit.to_string()).help(help));
        }
    };
    let header = template.get("header");
    if let Some(node) = header {
        let at = format!("{at}/header");
        if node.entries().is_empty() {
            value(&at, Slot::Header, node, Some(MAX_HEADER));
        }
        for (key, node) in node.entries() {
            value(&join(&at, &key.name), Slot::Header, node, Some(MAX_HEADER));
        }
    }
    let parameters = template.get("parameters");
    if let Some(node) = parameters {
        let at = format!("{at}/parameters");
        for (number, node) in node.items().iter().enumerate() {
            value(&format!("{at}/{number}"), Slot::Parameter(number), node, Some(MAX_BODY));
        }
        for (key, node) in node.entries() {
            value(&join(&at, &key.name), Slot::Named(key.name.clone()), node, Some(MAX_BODY));
        }
    }
    let buttons = template.get("buttons").map(Node::items).unwrap_or_default();
    for (number, button) in buttons.iter().enumerate() {
        let kind = button.get("type").and_then(|kind| serde_json::from_value::<ButtonType>(kind.to_json()).ok());
        if let Some(node) = button.get("value") {
            let most = kind.and_then(ButtonType::most);
            value(&format!("{at}/buttons/{number}/value"), Slot::Button(number), node, most);
        }
    }
    if let (Some(header), Some(parameters)) = (header, parameters) {
        mixed(document, at, (header, parameters), found);
    }
    repeated_buttons(document, at, buttons, found);
}

/// Checks a template, and returns true if it has no mistake.
fn check_template_only(document: &Document<'_>, at: &str, text: &str, found: &mut Vec<Diagnostic>) -> bool {
    let before = found.len();
    check_template(document, at, text, found);
    found.len() == before
}

/// Refuses a header and parameters of which only one is named: WhatsApp has templates of either form.
fn mixed(document: &Document<'_>, at: &str, (header, parameters): (&Node, &Node), found: &mut Vec<Diagnostic>) {
    let has_names = |node: &Node| !node.entries().is_empty();
    let (code, help) = (Code::InvalidValue, "write `header: {name: …}` with the name that the placeholder has");
    match (has_names(header), has_names(parameters)) {
        (false, true) if header.text().is_some() => {
            let message = "the parameters have names, and the header has none: a template names all of them or none";
            found.push(Diagnostic::new(code, document.place(&format!("{at}/header")), message).help(help));
        }
        (true, false) if !parameters.items().is_empty() => {
            let message = "the header has a name, and the parameters have none: a template names all of them or none";
            let help = "write `parameters: {name: …}` with the names that the placeholders have";
            found.push(Diagnostic::new(code, document.place(&format!("{at}/parameters")), message).help(help));
        }
        _ => {}
    }
}

fn repeated_buttons(document: &Document<'_>, at: &str, buttons: &[Node], found: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    for (number, button) in buttons.iter().enumerate() {
        let index = button.get("index").map_or_else(|| number.into(), Node::to_json);
        if !seen.insert(index.to_string()) {
            let message = format!("two buttons have the place {index}");
            let place = document.place(&format!("{at}/buttons/{number}"));
            found.push(Diagnostic::new(Code::InvalidValue, place, message).help("give each an `index` of its own"));
        }
    }
}
