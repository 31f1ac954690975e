//! The custom formats of the JSON Schemas, with the error for text that does not match.
//!
//! Each format uses the constructor that later reads the value, so a value that passes the schema can always be read.

use crate::core::diagnostic::Code;
use crate::core::domain::{Clock, Country, Language, Moment, NaiveDate, Name, Period, Zone};
use crate::core::manifest::testcase::{FaultOutcome, Instant};

/// A custom format: its name, its parser, and the code of its error.
pub(in crate::core::manifest) struct Format {
    pub(in crate::core::manifest) name: &'static str,
    pub(in crate::core::manifest) parse: fn(&str) -> Result<(), String>,
    pub(in crate::core::manifest) code: Code,
}

pub(in crate::core::manifest) const FORMATS: [Format; 13] = [
    Format { name: "relance-name", parse: |s| Name::parse(s).map(drop), code: Code::InvalidName },
    Format { name: "relance-duration", parse: |s| Period::parse(s).map(drop), code: Code::InvalidValue },
    Format { name: "relance-country", parse: |s| Country::parse(s).map(drop), code: Code::InvalidValue },
    Format { name: "relance-language", parse: |s| Language::parse(s).map(drop), code: Code::InvalidValue },
    Format { name: "relance-time", parse: |s| Moment::parse(s).map(drop), code: Code::InvalidValue },
    Format { name: "relance-instant", parse: |s| Instant::parse(s).map(drop), code: Code::InvalidValue },
    Format { name: "relance-outcome", parse: |s| FaultOutcome::parse(s).map(drop), code: Code::InvalidValue },
    Format { name: "relance-clock", parse: |s| s.parse::<Clock>().map(drop), code: Code::InvalidValue },
    Format { name: "relance-timezone", parse: |s| Zone::parse(s).map(drop), code: Code::UnknownTimezone },
    Format { name: "date", parse: date, code: Code::InvalidDate },
    Format { name: "relance-url", parse: web_address, code: Code::InvalidValue },
    Format { name: "relance-template-name", parse: template_name, code: Code::InvalidValue },
    Format { name: "relance-parameter-name", parse: parameter_name, code: Code::InvalidValue },
];

impl Format {
    pub(in crate::core::manifest) fn find(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }
}

fn date(text: &str) -> Result<(), String> {
    match text.parse::<NaiveDate>() {
        Ok(date) if date.to_string() == text => Ok(()),
        _ => Err(format!("`{text}` is not a date: write `2026-12-25`")),
    }
}

fn web_address(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !text.contains(char::is_whitespace) => Ok(()),
        _ => Err(format!("`{text}` is not an address: write `https://…`")),
    }
}

/// The longest name that WhatsApp takes for a template.
const MAX_TEMPLATE_NAME: usize = 512;

fn is_whatsapp_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn template_name(text: &str) -> Result<(), String> {
    let shown: String = text.chars().take(60).collect();
    if text.len() > MAX_TEMPLATE_NAME {
        return Err(format!("`{shown}…` is too long: WhatsApp takes {MAX_TEMPLATE_NAME} characters at most"));
    }
    let refuse = || format!("`{shown}` is not the name of a template: WhatsApp has lower-case letters, digits and `_`");
    if is_whatsapp_name(text) { Ok(()) } else { Err(refuse()) }
}

fn parameter_name(text: &str) -> Result<(), String> {
    let refuse = || {
        let help = "WhatsApp has lower-case letters, digits and `_`, as in `first_name`";
        format!("`{text}` is not the name of a placeholder: {help}")
    };
    if is_whatsapp_name(text) { Ok(()) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn schema_formats_explain_each_refusal() {
        for (name, good, bad) in [
            ("date", "2026-12-25", "2026-2-5"),
            ("relance-url", "https://example.com/a", "example.com"),
            ("relance-url", "http://h", "https:///x"),
            ("relance-clock", "24:00", "25:00"),
            ("relance-template-name", "day_1", "Day 1"),
            ("relance-template-name", "a", "jour-un"),
            ("relance-parameter-name", "first_name", "first name"),
            ("relance-parameter-name", "n1", "firstName"),
        ] {
            let parse = Format::find(name).unwrap().parse;
            assert!(parse(good).is_ok());
            assert!(parse(bad).unwrap_err().contains(bad));
        }
    }
}
