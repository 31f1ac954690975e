//! The request of an `http` channel: its template, and the values of one message.

use serde::Serialize;

use super::channel::{ContentType, Http, PhoneFormat};
use crate::core::template::{Escape, Problem, RequestTemplate};

/// The variables of a request for one message.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestValues<'a> {
    /// The phone number in the format of the gateway.
    pub phone: &'a str,
    pub text: &'a str,
    pub message_id: &'a str,
    /// Undefined when the account has no sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<&'a str>,
    pub language: &'a str,
    pub day: u16,
    pub account: i64,
    pub media: Vec<MediumValues<'a>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct MediumValues<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub url: &'a str,
    pub caption: Option<&'a str>,
}

impl Http {
    /// Returns the compiled body template.
    ///
    /// # Errors
    /// Returns the first mistake of the template.
    pub fn body_template(&self) -> Option<Result<RequestTemplate, Problem>> {
        self.body.as_ref().map(|body| RequestTemplate::compile(body, self.content_type.escape()))
    }

    /// Returns true if any part of the request uses the variable. A secret URL is unknown, so it counts as using none.
    pub fn uses(&self, variable: &str) -> bool {
        let url = self.url.plain().map(|url| RequestTemplate::compile(url, Escape::Percent));
        url.into_iter().chain(self.body_template()).flatten().any(|template| template.uses(variable))
    }
}

impl PhoneFormat {
    /// Formats a phone number given in E.164.
    pub fn write(self, phone: &str) -> String {
        let digits = phone.trim_start_matches('+');
        match self {
            Self::E164 => phone.to_owned(),
            Self::Digits => digits.to_owned(),
            Self::Jid => format!("{digits}@c.us"),
        }
    }
}

impl ContentType {
    /// Returns the escaping of values in a body of this type.
    pub(in crate::core::manifest) const fn escape(self) -> Escape {
        match self {
            Self::Json => Escape::Json,
            Self::Form => Escape::Percent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PhoneFormat;

    #[test]
    fn phones_are_written_in_the_format_of_the_gateway() {
        let written = [PhoneFormat::E164, PhoneFormat::Digits, PhoneFormat::Jid].map(|form| form.write("+12133734253"));
        assert_eq!(written, ["+12133734253", "12133734253", "12133734253@c.us"]);
    }
}
