//! Language tags.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A BCP 47 language tag in canonical case: `fr`, `pt-BR`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(String);

impl Language {
    /// Parses a tag in any case.
    ///
    /// # Errors
    /// Returns a sentence that names the tag; for `fr_CH` it suggests the hyphen.
    pub fn parse(text: &str) -> Result<Self, String> {
        match icu_locale_core::LanguageIdentifier::try_from_str(text) {
            Ok(tag) if !tag.language.is_unknown() && !text.contains('_') => Ok(Self(tag.to_string())),
            _ if text.contains('_') => {
                Err(format!("`{text}` is not a language tag: write it with a hyphen, `{}`", text.replace('_', "-")))
            }
            _ => Err(format!("`{text}` is not a language tag: use BCP 47, such as `fr` or `pt-BR`")),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part before the first hyphen: `pt` of `pt-BR`.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Language {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.0
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn language_tags_have_canonical_case_and_a_primary_subtag() {
        let tag = Language::parse("PT-br").unwrap();
        assert_eq!((tag.as_str(), tag.primary()), ("pt-BR", "pt"));
        for bad in ["", "fr_CH", "french language", "1", "é"] {
            assert!(Language::parse(bad).is_err(), "{bad}");
        }
    }
}
