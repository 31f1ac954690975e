//! The limits of each channel type, in one table that validation and the channels share.

use super::channel::{Channel, Http};
use super::sequence::MediaType;

/// The limits of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and asked for by itself")]
pub struct Takes {
    pub media: &'static [MediaType],
    /// The maximum number of media in one message.
    pub most_media: usize,
    /// The channel also takes media that were uploaded to the provider.
    pub uploads: bool,
    /// The maximum length of a text without media, in characters.
    pub text: Option<usize>,
    /// The maximum length of a caption, in characters.
    pub caption: Option<usize>,
    /// A text with a medium is sent as its caption, so captions of media are not shown.
    pub text_is_caption: bool,
    /// Without an approved template, only people who wrote recently can receive messages.
    pub needs_templates: bool,
    /// Every message needs a subject.
    pub needs_subject: bool,
    /// The channel drives WhatsApp without Meta's approval, which can get the number banned.
    pub unofficial: bool,
    /// Each account sends in its own name.
    pub senders: bool,
}

const ALL: &[MediaType] = &[MediaType::Image, MediaType::Video, MediaType::Document, MediaType::Audio];

impl Takes {
    /// The limits of WhatsApp, used wherever nothing else is known.
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

    /// Derives the limits from the request template. The rest is unknown, so WhatsApp's limits apply: nearly all
    /// gateways drive WhatsApp.
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
