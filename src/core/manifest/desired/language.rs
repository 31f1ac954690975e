//! The choice of the text of a day by language.

use std::collections::BTreeMap;

use crate::core::domain::Language;

/// A text and the reason for its choice.
#[derive(Debug)]
pub struct Choice<'a, T> {
    pub language: &'a Language,
    pub text: &'a T,
    /// The index of the preference that matched; `None` means the fallback.
    pub preference: Option<usize>,
}

/// Chooses a text. Each preference in turn tries its exact tag, then its primary subtag (`pt` for `pt-BR`). It then
/// tries any tag with that primary subtag (`fr-CM` for `fr`). The fallback comes last.
pub fn choose<'a, T>(
    texts: &'a BTreeMap<Language, T>,
    preferred: &[Option<&Language>],
    fallback: &Language,
) -> Option<Choice<'a, T>> {
    let preferences = preferred.iter().enumerate().filter_map(|(index, wanted)| Some((Some(index), (*wanted)?)));
    preferences.chain([(None, fallback)]).find_map(|(preference, wanted)| {
        let (language, text) = find(texts, wanted)?;
        Some(Choice { language, text, preference })
    })
}

fn find<'a, T>(texts: &'a BTreeMap<Language, T>, wanted: &Language) -> Option<(&'a Language, &'a T)> {
    texts
        .get_key_value(wanted)
        .or_else(|| texts.iter().find(|(language, _)| language.as_str() == wanted.primary()))
        .or_else(|| texts.iter().find(|(language, _)| language.primary() == wanted.primary()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Language, choose};

    fn tag(text: &str) -> Language {
        Language::parse(text).unwrap()
    }

    #[test]
    fn a_text_is_chosen_by_exact_then_primary_then_fallback_language() {
        let pick = |tags: &[&str], preferred: &[Option<&str>]| {
            let texts: BTreeMap<Language, String> = tags.iter().map(|t| (tag(t), (*t).to_owned())).collect();
            let preferred: Vec<_> = preferred.iter().map(|t| t.map(tag)).collect();
            let preferred: Vec<_> = preferred.iter().map(Option::as_ref).collect();
            choose(&texts, &preferred, &tag("fr")).map(|choice| (choice.text.clone(), choice.preference))
        };
        let is = |text: &str, preference| Some((text.to_owned(), preference));
        assert_eq!(pick(&["fr", "pt", "pt-BR"], &[Some("pt-BR")]), is("pt-BR", Some(0)));
        assert_eq!(pick(&["fr", "pt"], &[Some("pt-BR")]), is("pt", Some(0)));
        assert_eq!(pick(&["fr", "pt-BR"], &[Some("pt")]), is("pt-BR", Some(0)));
        assert_eq!(pick(&["fr", "en"], &[Some("sw"), Some("en-GB")]), is("en", Some(1)));
        assert_eq!(pick(&["fr", "en"], &[None, Some("en")]), is("en", Some(1)));
        assert_eq!(pick(&["fr", "en"], &[None]), is("fr", None));
        assert_eq!(pick(&["en"], &[Some("sw")]), None);
    }
}
