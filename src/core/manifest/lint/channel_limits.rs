//! The rules of channel limits: finds days that exceed what a channel carries.

use std::collections::BTreeMap;

use crate::core::diagnostic::Code;
use crate::core::domain::{Language, Name};
use crate::core::manifest::desired::channel_limits::Takes;
use crate::core::manifest::desired::language::choose;
use crate::core::manifest::desired::{Day, MediaAt, MediaType};

/// The parts of a day that channel limits apply to.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and asked for by itself")]
pub(in crate::core::manifest) struct Load<'a> {
    pub(in crate::core::manifest) number: u16,
    pub(in crate::core::manifest) text: &'a BTreeMap<Language, String>,
    pub(in crate::core::manifest) subject: &'a BTreeMap<Language, String>,
    pub(in crate::core::manifest) media: Vec<MediaType>,
    /// At least one medium was uploaded to a provider.
    pub(in crate::core::manifest) has_upload: bool,
    pub(in crate::core::manifest) has_caption: bool,
    pub(in crate::core::manifest) has_template: bool,
    /// The header of the template is a text.
    pub(in crate::core::manifest) has_header: bool,
}

impl<'a> Load<'a> {
    pub(in crate::core::manifest) fn of(number: u16, day: &'a Day) -> Self {
        Self {
            number,
            text: &day.text,
            subject: &day.subject,
            media: day.media.iter().map(|one| one.kind).collect(),
            has_upload: day.media.iter().any(|one| matches!(one.at, MediaAt::Id(_))),
            has_caption: day.media.iter().any(|one| one.caption.is_some()),
            has_template: day.whatsapp_template.is_some(),
            has_header: day.whatsapp_template.as_ref().is_some_and(|template| template.header.is_some()),
        }
    }

    /// Returns true if every language of a text gets a subject, possibly the fallback's.
    fn has_subjects(&self, fallback: &Language) -> bool {
        self.text.keys().all(|language| {
            let subject = choose(self.subject, &[Some(language)], fallback);
            subject.is_some_and(|subject| !subject.text.trim().is_empty())
        })
    }
}

/// Days that a channel cannot carry, or carries differently than they seem to intend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::core::manifest) struct Unfit {
    pub(in crate::core::manifest) code: Code,
    /// The key below the day that the finding is about.
    pub(in crate::core::manifest) key: &'static str,
    /// The limit of the channel, as a sentence.
    pub(in crate::core::manifest) sentence: String,
    pub(in crate::core::manifest) help: &'static str,
    pub(in crate::core::manifest) days: Vec<u16>,
}

/// Finds the days that `channel`, with the limits `takes`, cannot carry.
pub(in crate::core::manifest) fn unfit(
    channel: &Name,
    takes: Takes,
    days: &[Load<'_>],
    fallback: &Language,
) -> Vec<Unfit> {
    let odd = |day: &Load<'_>| day.media.iter().copied().find(|kind| !takes.media.contains(kind));
    let no_media = takes.media.is_empty();
    let sentence = match days.iter().find_map(odd) {
        Some(kind) if !no_media => format!("`{channel}` takes no media of type `{}`", kind.as_str()),
        _ => format!("`{channel}` takes no media"),
    };
    let help = "take them out, link to them in the text, or let the campaign go by another channel";
    let mut found = vec![(Code::MediaMisfit, "media", sentence, help, these(days, |day| odd(day).is_some()))];
    if !no_media {
        let sentence = format!("`{channel}` takes no more media than {} in one message", takes.most_media);
        let too_many = these(days, |day| day.media.len() > takes.most_media);
        found.push((Code::MediaMisfit, "media", sentence, "keep one of the media; a day is one message", too_many));
    }
    if !no_media && !takes.uploads {
        let sentence = format!("`{channel}` takes media by their `url` only");
        let uploads = these(days, |day| day.has_upload);
        found.push((
            Code::MediaMisfit,
            "media",
            sentence,
            "say where they can be fetched from: `url: https://…`",
            uploads,
        ));
    }
    if takes.needs_subject {
        let sentence = format!("a mail by `{channel}` needs a `subject` for every text");
        let without = these(days, |day| !day.has_subjects(fallback));
        found.push((Code::NoSubject, "text", sentence, "add `subject:` in the languages of `text`", without));
    }
    if takes.needs_templates {
        let sentence =
            format!("`{channel}` needs a `whatsappTemplate` for people who did not write in the last 24 hours");
        let help = "add `whatsappTemplate: {name: …, language: …}`, as Meta approved it";
        found.push((Code::NoWhatsappTemplate, "text", sentence, help, these(days, |day| !day.has_template)));
        let sentence = format!("the header of a `whatsappTemplate` by `{channel}` is a text or a medium");
        let help = "take `header:` out, or the media, as Meta approved it";
        let both = these(days, |day| day.has_header && !day.media.is_empty());
        found.push((Code::MediaMisfit, "whatsappTemplate", sentence, help, both));
    }
    if takes.text_is_caption {
        let sentence = format!("`{channel}` shows the text of a day below its medium, and no `caption`");
        let help = "say it in the text, and remove the caption";
        found.push((Code::NoEffect, "media", sentence, help, these(days, |day| day.has_caption)));
    }
    let some = found.into_iter().filter(|(.., days)| !days.is_empty());
    some.map(|(code, key, sentence, help, days)| Unfit { code, key, sentence, help, days }).collect()
}

impl Unfit {
    /// Returns the days in words: `days 1, 2 and 4`.
    pub(in crate::core::manifest) fn which(&self) -> String {
        let numbers: Vec<String> = self.days.iter().map(u16::to_string).collect();
        match numbers.as_slice() {
            [one] => format!("day {one}"),
            [some @ .., last] => format!("days {} and {last}", some.join(", ")),
            [] => "no day".to_owned(),
        }
    }
}

fn these(days: &[Load<'_>], is_so: impl Fn(&Load<'_>) -> bool) -> Vec<u16> {
    days.iter().filter(|day| is_so(day)).map(|day| day.number).collect()
}
