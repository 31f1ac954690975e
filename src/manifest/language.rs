//! Which text of a day a person gets.

use super::desired::Day;
use crate::domain::Language;

/// Chooses a text: for each preference in turn the exact tag, then its primary subtag (`pt` for `pt-BR`, and
/// `fr-CM` for `fr` when there is no `fr`), at last the fallback.
pub fn choose<'a>(
    day: &'a Day,
    preferred: &[Option<&Language>],
    fallback: &Language,
) -> Option<(&'a Language, &'a str)> {
    let preferences = preferred.iter().copied().flatten().chain([fallback]);
    preferences.into_iter().find_map(|wanted| find(day, wanted)).map(|(language, text)| (language, text.as_str()))
}

fn find<'a>(day: &'a Day, wanted: &Language) -> Option<(&'a Language, &'a String)> {
    day.text
        .get_key_value(wanted)
        .or_else(|| day.text.iter().find(|(language, _)| language.as_str() == wanted.primary()))
        .or_else(|| day.text.iter().find(|(language, _)| language.primary() == wanted.primary()))
}

#[cfg(test)]
mod tests {
    use super::{Day, Language, choose};

    fn tag(text: &str) -> Language {
        Language::parse(text).unwrap()
    }

    #[test]
    fn exact_then_primary_then_next_then_fallback() {
        let day = |tags: &[&str]| Day {
            text: tags.iter().map(|t| (tag(t), (*t).to_owned())).collect(),
            subject: std::collections::BTreeMap::new(),
            media: Vec::new(),
            whatsapp_template: None,
            after: None,
        };
        let pick = |tags: &[&str], preferred: &[&str]| {
            let preferred: Vec<_> = preferred.iter().map(|t| tag(t)).collect();
            let preferred: Vec<_> = preferred.iter().map(Some).chain([None]).collect();
            choose(&day(tags), &preferred, &tag("fr")).map(|(_, text)| text.to_owned())
        };
        assert_eq!(pick(&["fr", "pt", "pt-BR"], &["pt-BR"]).as_deref(), Some("pt-BR"));
        assert_eq!(pick(&["fr", "pt"], &["pt-BR"]).as_deref(), Some("pt"));
        assert_eq!(pick(&["fr", "pt-BR"], &["pt"]).as_deref(), Some("pt-BR"));
        assert_eq!(pick(&["fr", "en"], &["sw", "en-GB"]).as_deref(), Some("en"));
        assert_eq!(pick(&["fr", "en"], &[]).as_deref(), Some("fr"));
        assert_eq!(pick(&["en"], &["sw"]), None);
    }
}
