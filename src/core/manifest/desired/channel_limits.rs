//! What each type of channel takes: the one table that validation and the channels themselves go by.

use super::channel::{Channel, Http};
use super::sequence::MediaType;

/// What a channel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and asked for by itself")]
pub struct Takes {
    pub media: &'static [MediaType],
    /// In one message.
    pub most_media: usize,
    /// Also such as were uploaded to the provider.
    pub uploads: bool,
    /// Of a text that goes alone, in characters.
    pub text: Option<usize>,
    /// Of what stands below a medium, in characters.
    pub caption: Option<usize>,
    /// A text with a medium goes as its caption, so that captions of media are not shown.
    pub text_is_caption: bool,
    /// Without an approved template it takes messages only to people who wrote lately.
    pub needs_templates: bool,
    /// Every message has one.
    pub needs_subject: bool,
    /// Its use risks the number.
    pub unofficial: bool,
    /// Accounts send by it each in its own name.
    pub senders: bool,
}

const ALL: &[MediaType] = &[MediaType::Image, MediaType::Video, MediaType::Document, MediaType::Audio];

impl Takes {
    /// What WhatsApp takes, and with it what nothing else is known of.
    pub const ANYWHERE: Self = Self {
        media: ALL,
        most_media: usize::MAX,
        uploads: true,
        text: Some(4096),
        caption: Some(1024),
        text_is_caption: false,
        needs_templates: false,
        needs_subject: false,
        unofficial: false,
        senders: false,
    };

    pub const WHATSAPP_CLOUD: Self = Self {
        media: &[MediaType::Image, MediaType::Video, MediaType::Document],
        most_media: 1,
        text_is_caption: true,
        needs_templates: true,
        senders: true,
        ..Self::ANYWHERE
    };

    pub const SMTP: Self = Self {
        media: &[],
        most_media: 0,
        uploads: false,
        text: None,
        caption: None,
        needs_subject: true,
        senders: true,
        ..Self::ANYWHERE
    };

    /// What a gateway takes beyond what its request says is unknown: nearly all of them drive WhatsApp.
    fn http(http: &Http) -> Self {
        let has_media = http.uses("media") || http.url.plain().is_none();
        Self {
            media: if has_media { ALL } else { &[] },
            most_media: if has_media { usize::MAX } else { 0 },
            uploads: false,
            unofficial: http.unofficial,
            senders: http.uses("sender") || http.url.plain().is_none(),
            ..Self::ANYWHERE
        }
    }
}

impl Channel {
    pub fn takes(&self) -> Takes {
        match self {
            Self::Sandbox { .. } => Takes::ANYWHERE,
            Self::WhatsappCloud(_) => Takes::WHATSAPP_CLOUD,
            Self::Http(http) => Takes::http(http),
            Self::Smtp(_) => Takes::SMTP,
        }
    }
}
