//! The days of a campaign, and the texts and media of each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::whatsapp_template::{Slot, WhatsappTemplate};
use crate::core::domain::{Language, Period};

/// The day templates of a campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sequence {
    /// The days, from day 1 without gaps.
    pub days: BTreeMap<u16, Day>,
    pub fallback_language: Language,
}

/// The message of one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    pub text: BTreeMap<Language, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subject: BTreeMap<Language, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whatsapp_template: Option<WhatsappTemplate>,
    /// The time since the day before, or since enrollment for day 1; `None` means `every` or `first_after` of the
    /// schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Period>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    #[serde(rename = "type")]
    pub kind: MediaType,
    #[serde(flatten)]
    pub at: MediaAt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
}

/// The location of a medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaAt {
    /// The URL to fetch it from.
    Url(String),
    /// The id of an upload at the provider.
    Id(String),
}

impl MediaAt {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Url(text) | Self::Id(text) => text,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaType {
    Image,
    Video,
    Document,
    Audio,
}

impl MediaType {
    /// Returns the word that manifests use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Document => "document",
            Self::Audio => "audio",
        }
    }
}

/// One of the templates of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(Language),
    Subject(Language),
    /// The caption of the medium with this index.
    Caption(usize),
    /// A value of the WhatsApp template.
    Template(Slot),
}
