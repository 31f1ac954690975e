//! The schema of `kind: Sequence`, and of `days` in a campaign.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::formats;
use super::whatsapp_template::WhatsappTemplateSpec;
use crate::core::domain::{Language, Period};
use crate::core::manifest::desired::{Day, Media, MediaAt, MediaType};

/// The messages of a campaign, one per day.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct SequenceSpec {
    /// The days, numbered 1, 2, 3 … without a gap.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) days: Vec<DaySpec>,
    /// The language of the text for people whose own language has none. It can be left out when all days share exactly
    /// one language.
    pub(in crate::core::manifest) fallback_language: Option<Language>,
}

/// The message of one day.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct DaySpec {
    /// The number of the day, from 1.
    #[schemars(range(min = 1, max = 366))]
    pub(in crate::core::manifest) day: u16,
    /// The text in each language: a template.
    #[schemars(schema_with = "formats::texts")]
    pub(in crate::core::manifest) text: BTreeMap<Language, String>,
    /// The subject in each language, for channels that have one: a template.
    #[schemars(schema_with = "formats::optional_texts")]
    #[serde(default)]
    pub(in crate::core::manifest) subject: BTreeMap<Language, String>,
    /// Media sent with the text.
    pub(in crate::core::manifest) media: Option<Vec<MediaSpec>>,
    /// The approved template for WhatsApp.
    pub(in crate::core::manifest) whatsapp_template: Option<WhatsappTemplateSpec>,
    /// The time since the day before, or since enrollment for day 1; by default `every` or `firstAfter` of the
    /// schedule.
    pub(in crate::core::manifest) after: Option<Period>,
}

/// An image, video, document or audio recording.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct MediaSpec {
    /// The type of the medium.
    #[serde(rename = "type")]
    pub(in crate::core::manifest) kind: MediaType,
    /// The address to fetch the medium from: `https://…`.
    #[schemars(schema_with = "formats::url")]
    #[serde(default)]
    pub(in crate::core::manifest) url: Option<String>,
    /// The id of an upload to WhatsApp, instead of `url`; only for channels of `type: whatsapp-cloud`.
    #[schemars(length(min = 1, max = 64))]
    pub(in crate::core::manifest) id: Option<String>,
    /// The caption below the medium: a template.
    pub(in crate::core::manifest) caption: Option<String>,
}

impl SequenceSpec {
    /// Returns the language of the text for people whose own language has none.
    pub(in crate::core::manifest) fn fallback(&self) -> Option<Language> {
        self.fallback_language.clone().or_else(|| sole_language(&self.days))
    }
}

impl DaySpec {
    pub(in crate::core::manifest) fn resolve(self) -> Day {
        let media = self.media.into_iter().flatten();
        Day {
            whatsapp_template: self.whatsapp_template.map(|template| template.resolve(self.text.keys())),
            text: self.text,
            subject: self.subject,
            media: media.filter_map(MediaSpec::resolve).collect(),
            after: self.after,
        }
    }
}

impl MediaSpec {
    /// Resolves the medium; returns `None` when it has neither `url` nor `id`.
    fn resolve(self) -> Option<Media> {
        let at = self.url.map(MediaAt::Url).or(self.id.map(MediaAt::Id))?;
        Some(Media { kind: self.kind, at, caption: self.caption })
    }
}

/// Returns the fallback when none is named: the only language that all days have.
pub(in crate::core::manifest) fn sole_language(days: &[DaySpec]) -> Option<Language> {
    let first = days.first()?;
    let mut common = first.text.keys().filter(|language| days.iter().all(|day| day.text.contains_key(language)));
    let only = common.next()?;
    common.next().is_none().then(|| only.clone())
}
