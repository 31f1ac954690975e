//! The days of a campaign, and the texts and media of each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::domain::{Language, Period};

/// The day templates of a campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sequence {
    /// From day 1, without gaps.
    pub days: BTreeMap<u16, Day>,
    pub fallback_language: Language,
}

/// What goes out on one day.
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
    /// From the day before (day 1: from enrollment) to this one; `None`: the schedule's.
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

/// Where a medium is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaAt {
    /// Where it can be fetched from.
    Url(String),
    /// With the provider, who calls it so.
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
    /// As manifests say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Document => "document",
            Self::Audio => "audio",
        }
    }
}

/// A template of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(Language),
    Subject(Language),
    /// Of the media with this index.
    Caption(usize),
    /// Of the template for WhatsApp, with this index.
    Parameter(usize),
    /// Of the template for WhatsApp.
    Header,
    /// Of the template for WhatsApp, at this place in the list.
    Button(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsappTemplate {
    pub name: String,
    pub language: Language,
    /// The value of the placeholder of a header that is a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

/// What a button of a template is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Its place in the template, from 0.
    pub index: u8,
    #[serde(rename = "type")]
    pub kind: ButtonType,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ButtonType {
    /// Comes back when it is pressed.
    QuickReply,
    /// The end of the address.
    Url,
    /// The code to copy.
    CopyCode,
}
