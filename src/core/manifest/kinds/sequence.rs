//! `kind: Sequence` as it is written, and `days` of a campaign.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::formats;
use crate::core::domain::{Language, Period};
use crate::core::manifest::desired::{Button, ButtonType, Day, Media, MediaAt, MediaType, WhatsappTemplate};

/// The messages of a campaign, a day each.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct SequenceSpec {
    /// Days 1, 2, 3 … without a gap.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) days: Vec<DaySpec>,
    /// What people get whose language has no text. It may be left out when all days are in one language only.
    pub(in crate::core::manifest) fallback_language: Option<Language>,
}

/// The message of one day.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct DaySpec {
    #[schemars(range(min = 1, max = 366))]
    pub(in crate::core::manifest) day: u16,
    /// The text in each language: a template.
    #[schemars(schema_with = "formats::texts")]
    pub(in crate::core::manifest) text: BTreeMap<Language, String>,
    /// The subject in each language, for channels that have one: a template.
    #[schemars(schema_with = "formats::optional_texts")]
    #[serde(default)]
    pub(in crate::core::manifest) subject: BTreeMap<Language, String>,
    /// Sent with the text.
    pub(in crate::core::manifest) media: Option<Vec<MediaSpec>>,
    /// The approved template to use on WhatsApp.
    pub(in crate::core::manifest) whatsapp_template: Option<WhatsappTemplateSpec>,
    /// From the day before, or from enrollment for day 1; as the schedule says when left out.
    pub(in crate::core::manifest) after: Option<Period>,
}

/// A picture, film, document or recording.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct MediaSpec {
    #[serde(rename = "type")]
    pub(in crate::core::manifest) kind: MediaType,
    /// Where it can be fetched from: `https://…`.
    #[schemars(schema_with = "formats::url")]
    #[serde(default)]
    pub(in crate::core::manifest) url: Option<String>,
    /// Or the id under which it was uploaded to WhatsApp; for channels of `type: whatsapp-cloud`.
    #[schemars(length(min = 1, max = 64))]
    pub(in crate::core::manifest) id: Option<String>,
    /// Shown below it: a template.
    pub(in crate::core::manifest) caption: Option<String>,
}

/// A template approved by WhatsApp.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct WhatsappTemplateSpec {
    #[schemars(length(min = 1, max = 512))]
    pub(in crate::core::manifest) name: String,
    pub(in crate::core::manifest) language: Language,
    /// The value of the placeholder of its header, if that is a text: a template.
    pub(in crate::core::manifest) header: Option<String>,
    /// The values of its placeholders, in order: templates.
    pub(in crate::core::manifest) parameters: Option<Vec<String>>,
    /// What its buttons are given; those that need nothing are left out.
    #[schemars(length(max = 10))]
    pub(in crate::core::manifest) buttons: Option<Vec<ButtonSpec>>,
}

/// What one button of a template is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct ButtonSpec {
    /// Its place among the buttons of the template, from 0; its place in this list when left out.
    #[schemars(range(min = 0, max = 9))]
    pub(in crate::core::manifest) index: Option<u8>,
    #[serde(rename = "type")]
    pub(in crate::core::manifest) kind: ButtonType,
    /// What comes back when it is pressed, the end of its address, or the code to copy: a template.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) value: String,
}

impl SequenceSpec {
    /// What people get whose language has no text.
    pub(in crate::core::manifest) fn fallback(&self) -> Option<Language> {
        self.fallback_language.clone().or_else(|| sole_language(&self.days))
    }
}

impl DaySpec {
    pub(in crate::core::manifest) fn resolve(self) -> Day {
        let media = self.media.into_iter().flatten();
        Day {
            text: self.text,
            subject: self.subject,
            media: media.filter_map(MediaSpec::resolve).collect(),
            whatsapp_template: self.whatsapp_template.map(WhatsappTemplateSpec::resolve),
            after: self.after,
        }
    }
}

impl MediaSpec {
    /// `None` when it does not say where it is.
    fn resolve(self) -> Option<Media> {
        let at = self.url.map(MediaAt::Url).or(self.id.map(MediaAt::Id))?;
        Some(Media { kind: self.kind, at, caption: self.caption })
    }
}

impl WhatsappTemplateSpec {
    fn resolve(self) -> WhatsappTemplate {
        let buttons = self.buttons.into_iter().flatten().zip(0..);
        let button = |(button, place): (ButtonSpec, u8)| Button {
            index: button.index.unwrap_or(place),
            kind: button.kind,
            value: button.value,
        };
        WhatsappTemplate {
            name: self.name,
            language: self.language,
            header: self.header,
            parameters: self.parameters.unwrap_or_default(),
            buttons: buttons.map(button).collect(),
        }
    }
}

/// The language that stands in for the fallback nobody named: the only one that all days have.
pub(in crate::core::manifest) fn sole_language(days: &[DaySpec]) -> Option<Language> {
    let first = days.first()?;
    let mut common = first.text.keys().filter(|language| days.iter().all(|day| day.text.contains_key(language)));
    let only = common.next()?;
    common.next().is_none().then(|| only.clone())
}
