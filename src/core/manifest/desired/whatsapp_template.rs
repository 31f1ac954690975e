//! WhatsApp templates: as a manifest names them, and with the values for one person.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::domain::Language;

/// The longest value of a header, in characters.
pub const MAX_HEADER: usize = 60;
/// The longest body of a template, and so the longest sum of its values.
pub const MAX_BODY: usize = 1_024;
/// The longest end of a button's URL.
const MAX_URL: usize = 2_000;
/// The longest code to copy.
const MAX_CODE: usize = 15;

/// The template of a day. Its values are templates of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsappTemplate {
    pub name: String,
    /// The languages in which WhatsApp approved it, sorted; at least one.
    #[serde(rename = "language")]
    pub languages: Vec<Language>,
    /// The value of the placeholder of a text header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

/// A template with the values for one person, as WhatsApp gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateMessage {
    pub name: String,
    pub language: Language,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

/// The values of the placeholders of a body. A template has either numbered or named placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Parameters {
    Numbered(Vec<String>),
    Named(BTreeMap<String, String>),
}

impl Default for Parameters {
    fn default() -> Self {
        Self::Numbered(Vec::new())
    }
}

impl Parameters {
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Numbered(values) => values.is_empty(),
            Self::Named(values) => values.is_empty(),
        }
    }

    /// Returns each value with its place.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &str)> {
        let (numbered, named) = match self {
            Self::Numbered(values) => (Some(values), None),
            Self::Named(values) => (None, Some(values)),
        };
        let numbered = numbered.into_iter().flatten().enumerate();
        let numbered = numbered.map(|(index, value)| (Slot::Parameter(index), value.as_str()));
        let named = named.into_iter().flatten();
        numbered.chain(named.map(|(name, value)| (Slot::Named(name.clone()), value.as_str())))
    }

    /// Returns the parameters with other values, given in the order of [`Self::iter`].
    #[must_use]
    pub fn with(&self, values: impl IntoIterator<Item = String>) -> Self {
        match self {
            Self::Numbered(_) => Self::Numbered(values.into_iter().collect()),
            Self::Named(named) => Self::Named(named.keys().cloned().zip(values).collect()),
        }
    }
}

/// The value of the placeholder of a text header. A template with named placeholders names this one too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Header {
    Plain(String),
    Named(BTreeMap<String, String>),
}

impl Header {
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Named(named) => named.keys().next().map(String::as_str),
        }
    }

    pub fn value(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Named(named) => named.values().next().map(String::as_str).unwrap_or_default(),
        }
    }

    /// Returns the header with another value.
    #[must_use]
    pub fn with(&self, value: String) -> Self {
        match self.name() {
            None => Self::Plain(value),
            Some(name) => Self::Named(BTreeMap::from([(name.to_owned(), value)])),
        }
    }
}

/// The value of one button of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Button {
    /// The position in the template, from 0.
    pub index: u8,
    #[serde(rename = "type")]
    pub kind: ButtonType,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ButtonType {
    /// The payload that comes back when the button is pressed.
    QuickReply,
    /// The end of the URL.
    Url,
    /// The code to copy.
    CopyCode,
}

impl ButtonType {
    /// Returns the maximum length of a value, in characters.
    pub const fn most(self) -> Option<usize> {
        match self {
            Self::QuickReply => None,
            Self::Url => Some(MAX_URL),
            Self::CopyCode => Some(MAX_CODE),
        }
    }
}

/// The place of a value in a template. [`Display`](fmt::Display) gives it in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    Header,
    /// A numbered parameter, from 0.
    Parameter(usize),
    Named(String),
    /// All parameters of the body.
    Body,
    /// The button with this index in the list.
    Button(usize),
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Parameter(index) => write!(f, "parameter {}", index + 1),
            Self::Named(name) => write!(f, "parameter `{name}`"),
            Self::Body => f.write_str("parameters"),
            Self::Button(index) => write!(f, "button {}", index + 1),
        }
    }
}

/// A value that WhatsApp takes from nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error("{0}: it is blank, and WhatsApp takes no blank value")]
    Blank(Slot),
    #[error("{slot}: {chars} characters, and WhatsApp takes {most} at most")]
    TooLong { slot: Slot, chars: usize, most: usize },
}

impl Misfit {
    /// Checks one value.
    pub fn of(slot: Slot, value: &str, most: Option<usize>) -> Option<Self> {
        if is_blank(value) {
            return Some(Self::Blank(slot));
        }
        let most = most.filter(|most| value.len() > *most)?;
        let chars = value.chars().count();
        (chars > most).then_some(Self::TooLong { slot, chars, most })
    }
}

impl TemplateMessage {
    /// Returns the first value that WhatsApp would refuse.
    pub fn misfit(&self) -> Option<Misfit> {
        let header = self.header.iter().map(|header| (Slot::Header, header.value(), Some(MAX_HEADER)));
        let parameters = self.parameters.iter().map(|(slot, value)| (slot, value, Some(MAX_BODY)));
        let buttons = self.buttons.iter().enumerate();
        let buttons = buttons.map(|(index, button)| (Slot::Button(index), button.value.as_str(), button.kind.most()));
        let mut values = header.chain(parameters).chain(buttons);
        values.find_map(|(slot, value, most)| Misfit::of(slot, value, most)).or_else(|| {
            let chars = self.parameters.iter().map(|(_, value)| value.chars().count()).sum();
            (chars > MAX_BODY).then_some(Misfit::TooLong { slot: Slot::Body, chars, most: MAX_BODY })
        })
    }
}

impl fmt::Display for TemplateMessage {
    /// Writes the template and its values on one line: `day_one (fr): Paul · city=Douala`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.language)?;
        let header = self.header.iter().map(|header| (header.name().map(str::to_owned), header.value()));
        let parameters = self.parameters.iter().map(|(slot, value)| match slot {
            Slot::Named(name) => (Some(name), value),
            _ => (None, value),
        });
        let buttons = self.buttons.iter().map(|button| (None, button.value.as_str()));
        for (place, (name, value)) in header.chain(parameters).chain(buttons).enumerate() {
            f.write_str(if place == 0 { ": " } else { " · " })?;
            name.map_or(Ok(()), |name| write!(f, "{name}="))?;
            f.write_str(value)?;
        }
        Ok(())
    }
}

/// Replaces white space by single spaces, because WhatsApp refuses values with line breaks, tabs or many spaces.
pub fn one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns true if nothing of the text is visible.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Returns true for characters without width: joiners, marks of direction, fillers, variation selectors.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Returns true if WhatsApp has templates in this language.
///
/// WhatsApp knows some languages only with a country, such as `pt-BR`, and most only without one.
pub fn is_template_language(language: &Language) -> bool {
    template_languages().any(|code| code == language.as_str())
}

/// Returns the languages of templates.
pub fn template_languages() -> impl Iterator<Item = &'static str> {
    LANGUAGES.split_ascii_whitespace()
}

/// The languages of templates, as Meta's documentation lists them, with hyphens.
const LANGUAGES: &str = "
    af sq ar ar-AE ar-EG ar-LB ar-MA ar-QA az be-BY bn bn-IN bg ca zh-CN zh-HK zh-TW hr cs da prs-AF nl nl-BE en en-AE
    en-AU en-CA en-GB en-GH en-IE en-IN en-JM en-MY en-NZ en-QA en-SG en-UG en-US en-ZA et fil fi fr fr-BE fr-CA fr-CH
    fr-CI fr-MA ka de de-AT de-CH el gu ha he hi hu id ga it ja kn kk rw-RW ko ky-KG lo lv lt mk ms ml mr nb ps-AF fa
    pl pt-BR pt-PT pa ro ru sr si-LK sk sl es es-AR es-CL es-CO es-CR es-DO es-EC es-ES es-HN es-MX es-PA es-PE es-UY
    sw sv ta te th tr uk ur uz vi zu";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        Button, ButtonType, Header, Misfit, Parameters, Slot, TemplateMessage, is_blank, is_template_language,
        one_line, template_languages,
    };
    use crate::core::domain::Language;

    fn message(header: Option<Header>, parameters: Parameters, buttons: Vec<Button>) -> TemplateMessage {
        let language = Language::parse("fr").unwrap();
        TemplateMessage { name: "day_one".to_owned(), language, header, parameters, buttons }
    }

    fn numbered(values: &[&str]) -> Parameters {
        Parameters::Numbered(values.iter().map(|value| (*value).to_owned()).collect())
    }

    #[test]
    fn a_value_that_whatsapp_refuses_is_found_with_its_place() {
        let code = |value: &str| Button { index: 0, kind: ButtonType::CopyCode, value: value.to_owned() };
        let plain = |value: &str| Some(Header::Plain(value.to_owned()));
        let named = |value: &str| Parameters::Named(BTreeMap::from([("first".to_owned(), value.to_owned())]));
        let half = "é".repeat(600);
        let cases = [
            (
                message(plain(&"é".repeat(60)), numbered(&["Ann", &"é".repeat(1_021)]), vec![code(&"1".repeat(15))]),
                None,
            ),
            (message(None, Parameters::default(), vec![]), None),
            (message(plain(" "), numbered(&[""]), vec![]), Some(Misfit::Blank(Slot::Header))),
            (message(None, numbered(&["Ann", "\u{a0}\u{200b}\n"]), vec![]), Some(Misfit::Blank(Slot::Parameter(1)))),
            (message(None, named("\t"), vec![]), Some(Misfit::Blank(Slot::Named("first".to_owned())))),
            (message(None, numbered(&["a"]), vec![code("b"), code("\u{feff}")]), Some(Misfit::Blank(Slot::Button(1)))),
            (
                message(plain(&"é".repeat(61)), Parameters::default(), vec![]),
                Some(Misfit::TooLong { slot: Slot::Header, chars: 61, most: 60 }),
            ),
            (
                message(None, numbered(&[&"é".repeat(1_025)]), vec![]),
                Some(Misfit::TooLong { slot: Slot::Parameter(0), chars: 1_025, most: 1_024 }),
            ),
            (
                message(None, numbered(&[&half, &half]), vec![]),
                Some(Misfit::TooLong { slot: Slot::Body, chars: 1_200, most: 1_024 }),
            ),
            (
                message(None, Parameters::default(), vec![code("1234567890123456")]),
                Some(Misfit::TooLong { slot: Slot::Button(0), chars: 16, most: 15 }),
            ),
        ];
        for (message, misfit) in cases {
            assert_eq!(message.misfit(), misfit, "{message}");
        }
    }

    #[test]
    fn names_that_nobody_can_see_are_blank_and_names_of_any_script_are_not() {
        for blank in ["", "  ", "\u{200b}\u{200d}", "\u{3164}", "\u{2800}", "\u{202e}\u{a0}", "\r\n\t", "\0"] {
            assert!(is_blank(blank), "{blank:?}");
        }
        for name in ["-", "0", "名", "ي", "\u{200f}محمد", "🙂", "É"] {
            assert!(!is_blank(name), "{name:?}");
        }
        assert_eq!(one_line(" Paul\n\tof \u{a0}    Douala\r\n"), "Paul of Douala");
    }

    #[test]
    fn a_template_is_shown_with_all_its_values_and_stored_as_it_is_written() {
        let parameters = Parameters::Named(BTreeMap::from([("city".to_owned(), "Douala".to_owned())]));
        let header = Header::Named(BTreeMap::from([("name".to_owned(), "Paul".to_owned())]));
        let button = Button { index: 3, kind: ButtonType::Url, value: "offre/7".to_owned() };
        let named = message(Some(header), parameters, vec![button]);
        assert_eq!(named.to_string(), "day_one (fr): name=Paul · city=Douala · offre/7");
        assert_eq!(message(None, Parameters::default(), vec![]).to_string(), "day_one (fr)");
        let plain = message(Some(Header::Plain("Paul".to_owned())), numbered(&["a", "b"]), vec![]);
        assert_eq!(plain.to_string(), "day_one (fr): Paul · a · b");
        for message in [named, plain] {
            let json = serde_json::to_value(&message).unwrap();
            assert_eq!(serde_json::from_value::<TemplateMessage>(json).unwrap(), message);
        }
    }

    #[test]
    fn languages_are_those_of_whatsapp() {
        let is = |tag: &str| is_template_language(&Language::parse(tag).unwrap());
        assert!(["fr", "en", "pt-BR", "PT-pt", "es-MX", "sw", "zh-CN", "fil"].into_iter().all(is));
        assert!(["pt", "zh", "fr-CM", "en-FR", "ln", "rw", "no"].into_iter().all(|tag| !is(tag)));
        // Every code is a tag in canonical form, so it can be found.
        assert!(template_languages().all(is));
    }
}
