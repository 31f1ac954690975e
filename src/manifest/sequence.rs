//! `kind: Sequence` as it is written, and `days` of a campaign.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::desired::{Day, Media, MediaType, WhatsappTemplate};
use super::formats;
use crate::domain::{Language, Period};

/// The messages of a campaign, a day each.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SequenceSpec {
    /// Days 1, 2, 3 … without a gap.
    #[schemars(length(min = 1))]
    pub(super) days: Vec<DaySpec>,
    /// What people get whose language has no text. It may be left out when all days are in one language only.
    pub(super) fallback_language: Option<Language>,
}

/// The message of one day.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DaySpec {
    #[schemars(range(min = 1, max = 366))]
    pub(super) day: u16,
    /// The text in each language: a template.
    #[schemars(schema_with = "formats::texts")]
    pub(super) text: BTreeMap<Language, String>,
    /// The subject in each language, for channels that have one: a template.
    #[schemars(schema_with = "formats::optional_texts")]
    #[serde(default)]
    pub(super) subject: BTreeMap<Language, String>,
    /// Sent with the text.
    pub(super) media: Option<Vec<MediaSpec>>,
    /// The approved template to use on WhatsApp.
    pub(super) whatsapp_template: Option<WhatsappTemplateSpec>,
    /// From the day before, or from enrollment for day 1; as the schedule says when left out.
    pub(super) after: Option<Period>,
}

/// A picture, film, document or recording.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MediaSpec {
    #[serde(rename = "type")]
    pub(super) kind: MediaType,
    /// Where it can be fetched from: `https://…`.
    #[schemars(schema_with = "formats::url")]
    pub(super) url: String,
    /// Shown below it: a template.
    pub(super) caption: Option<String>,
}

/// A template approved by WhatsApp.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhatsappTemplateSpec {
    #[schemars(length(min = 1, max = 512))]
    pub(super) name: String,
    pub(super) language: Language,
    /// The values of its placeholders, in order: templates.
    pub(super) parameters: Option<Vec<String>>,
}

impl SequenceSpec {
    /// What people get whose language has no text.
    pub(super) fn fallback(&self) -> Option<Language> {
        self.fallback_language.clone().or_else(|| sole_language(&self.days))
    }
}

impl DaySpec {
    pub(super) fn resolve(self) -> Day {
        let media = self.media.into_iter().flatten();
        Day {
            text: self.text,
            subject: self.subject,
            media: media.map(|m| Media { kind: m.kind, url: m.url, caption: m.caption }).collect(),
            whatsapp_template: self.whatsapp_template.map(|t| WhatsappTemplate {
                name: t.name,
                language: t.language,
                parameters: t.parameters.unwrap_or_default(),
            }),
            after: self.after,
        }
    }
}

/// The language that stands in for the fallback nobody named: the only one that all days have.
pub(super) fn sole_language(days: &[DaySpec]) -> Option<Language> {
    let first = days.first()?;
    let mut common = first.text.keys().filter(|language| days.iter().all(|day| day.text.contains_key(language)));
    let only = common.next()?;
    common.next().is_none().then(|| only.clone())
}
