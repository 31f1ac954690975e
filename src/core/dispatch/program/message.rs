//! The message for one person on one day: the only place where texts meet facts.

use std::collections::BTreeMap;

use super::{CampaignProgram, DayProgram};
use crate::core::domain::{Country, Language, Timestamp, Zone};
use crate::core::manifest::choose;
use crate::core::manifest::desired::{Button, Media, Part, WhatsappTemplate};
use crate::core::template::{RenderError, Template, Vars, opt_out_hint};

/// The recipient, with the facts that texts may mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub name: String,
    pub language: Option<Language>,
    pub country: Country,
    /// The profession; empty when unknown.
    pub profession: String,
    pub registered_at: Timestamp,
    pub attributes: BTreeMap<String, String>,
}

/// The account in whose name a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Referrer<'a> {
    pub name: &'a str,
    pub language: Option<&'a Language>,
    pub zone: &'a Zone,
}

/// A message ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub language: Language,
    pub spoken_by: SpokenBy,
    /// The subject, for channels that have one.
    pub subject: Option<String>,
    pub text: String,
    /// The media, with rendered captions.
    pub media: Vec<Media>,
    /// The rendered WhatsApp template, for people who have not written recently.
    pub template: Option<WhatsappTemplate>,
}

/// The source of the language of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpokenBy {
    Recipient,
    Referrer,
    /// The day has no text in the languages of these two.
    Nobody,
}

/// The fault of a message that cannot be rendered: it is not specific to this person, and probably affects others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("day {0} is not in the sequence")]
    NoDay(u16),
    #[error("day {day} has no text in `{fallback}`")]
    NoText { day: u16, fallback: Language },
    #[error("day {day} in `{language}`{}: {error}", which(part))]
    Template { day: u16, language: Language, part: Part, error: RenderError },
}

/// Returns a phrase that names the faulty template of a day; it is empty for the text.
fn which(part: &Part) -> String {
    match part {
        Part::Text(_) => String::new(),
        Part::Subject(_) => ", subject".to_owned(),
        Part::Caption(index) => format!(", caption {}", index + 1),
        Part::Parameter(index) => format!(", parameter {}", index + 1),
        Part::Header => ", header".to_owned(),
        Part::Button(index) => format!(", button {}", index + 1),
    }
}

impl CampaignProgram {
    /// Renders the message of `day` for one person.
    ///
    /// The language is the person's if the day has a text in it, else the account's, else the fallback language.
    pub fn message(&self, day: u16, to: &Recipient, from: Referrer<'_>) -> Result<Rendered, Fault> {
        let program = self.day(day).ok_or(Fault::NoDay(day))?;
        let preferred = [to.language.as_ref(), from.language];
        let no_text = || Fault::NoText { day, fallback: self.fallback.clone() };
        let choice = choose(&program.texts, &preferred, &self.fallback).ok_or_else(no_text)?;
        let language = choice.language;
        let registered_at = from.zone.date(to.registered_at).to_string();
        let vars = Vars {
            name: &to.name,
            referrer_name: from.name,
            day,
            days_total: self.cadence.days(),
            country: to.country.as_str(),
            profession: &to.profession,
            language: language.as_str(),
            registered_at: &registered_at,
            opt_out_hint: opt_out_hint(language),
            attributes: &to.attributes,
        };
        let render = |part: Part, template: &Template| {
            template.render(&vars).map_err(|error| Fault::Template { day, language: language.clone(), part, error })
        };
        let subject = choose(&program.subjects, &[Some(language)], &self.fallback);
        Ok(Rendered {
            language: language.clone(),
            spoken_by: match choice.preference {
                Some(0) => SpokenBy::Recipient,
                Some(_) => SpokenBy::Referrer,
                None => SpokenBy::Nobody,
            },
            subject: subject.map(|s| render(Part::Subject(s.language.clone()), s.text)).transpose()?,
            text: render(Part::Text(language.clone()), choice.text)?,
            media: program.media(render)?,
            template: program.template(render)?,
        })
    }
}

impl DayProgram {
    fn template(
        &self,
        render: impl Fn(Part, &Template) -> Result<String, Fault>,
    ) -> Result<Option<WhatsappTemplate>, Fault> {
        let Some(template) = &self.day.whatsapp_template else { return Ok(None) };
        let parameters = self.parameters.iter().enumerate();
        let parameters = parameters.map(|(index, parameter)| render(Part::Parameter(index), parameter));
        let buttons = template.buttons.iter().zip(&self.buttons).enumerate();
        let buttons = buttons.map(|(index, (button, value))| {
            Ok(Button { value: render(Part::Button(index), value)?, ..button.clone() })
        });
        Ok(Some(WhatsappTemplate {
            name: template.name.clone(),
            language: template.language.clone(),
            header: self.header.as_ref().map(|header| render(Part::Header, header)).transpose()?,
            parameters: parameters.collect::<Result<_, _>>()?,
            buttons: buttons.collect::<Result<_, _>>()?,
        }))
    }

    fn media(&self, render: impl Fn(Part, &Template) -> Result<String, Fault>) -> Result<Vec<Media>, Fault> {
        let media = self.day.media.iter().zip(&self.captions).enumerate();
        media
            .map(|(index, (media, caption))| {
                let caption = caption.as_ref().map(|caption| render(Part::Caption(index), caption)).transpose()?;
                Ok(Media { caption, ..media.clone() })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Fault, Part, Recipient, Referrer, SpokenBy};
    use crate::core::dispatch::program::Program;
    use crate::core::domain::{CampaignId, Country, Language, Name, Zone};
    use crate::core::manifest;
    use crate::core::manifest::{SourceFile, Sources};

    const TREE: &str = "apiVersion: relance/v1
kind: Sequence
metadata: {name: week}
spec:
  fallbackLanguage: fr
  days:
    - day: 1
      text: {fr: 'Bonjour {{ name }}. {{ optOutHint }}', en: 'Hello {{ name }}. {{ optOutHint }}'}
      subject: {fr: 'Bienvenue, {{ name }}'}
      media:
        - {type: image, url: 'https://example.com/a.png'}
        - {type: video, url: 'https://example.com/b.mp4', caption: '{{ attributes.city }}, {{ language }}'}
    - day: 2
      text: {fr: 'Encore'}
      whatsappTemplate:
        name: again
        language: fr
        header: '{{ name }}'
        parameters: ['{{ day }}']
        buttons: [{type: quickReply, value: STOP}, {type: url, value: '{{ attributes.city }}', index: 3}]
---
apiVersion: relance/v1
kind: Campaign
metadata: {name: welcome}
spec: {type: filtered, sequenceRef: week}
";

    fn program() -> Program {
        let file = SourceFile { path: "tree.yaml".to_owned(), bytes: TREE.as_bytes().to_vec() };
        let checked = manifest::check(&Sources::from(vec![file]));
        let ids = BTreeMap::from([(Name::parse("welcome").unwrap(), CampaignId(1))]);
        Program::compile(&checked.desired, &ids, 0, 0)
    }

    fn person(language: Option<&str>) -> Recipient {
        Recipient {
            name: "Paul".to_owned(),
            language: language.map(|tag| Language::parse(tag).unwrap()),
            country: Country::parse("CM").unwrap(),
            profession: String::new(),
            registered_at: "2026-11-20T10:00:00Z".parse().unwrap(),
            attributes: BTreeMap::from([("city".to_owned(), "Douala".to_owned())]),
        }
    }

    #[test]
    fn everything_of_a_message_is_in_one_language() {
        let (program, zone) = (program(), Zone::utc());
        let campaign = program.campaign(CampaignId(1)).unwrap();
        let english = Language::parse("en").unwrap();
        let chosen = |own: Option<&str>, accounts: Option<&Language>| {
            let message = campaign.message(1, &person(own), Referrer { name: "A", language: accounts, zone: &zone });
            let message = message.unwrap();
            let caption = message.media[1].caption.clone().unwrap();
            assert_eq!(message.media[0].caption, None);
            (message.text.split('.').next().unwrap().to_owned(), message.subject.unwrap(), caption, message.spoken_by)
        };
        let french = |by| ("Bonjour Paul".to_owned(), "Bienvenue, Paul".to_owned(), "Douala, fr".to_owned(), by);
        assert_eq!(chosen(Some("fr-CM"), Some(&english)), french(SpokenBy::Recipient));
        assert_eq!(chosen(Some("sw"), None), french(SpokenBy::Nobody));
        // The day has no English subject.
        let expected = ("Hello Paul".to_owned(), "Bienvenue, Paul".to_owned(), "Douala, en".to_owned());
        assert_eq!(chosen(None, Some(&english)), (expected.0, expected.1, expected.2, SpokenBy::Referrer));
    }

    #[test]
    fn all_that_a_template_of_whatsapp_is_given_is_rendered() {
        let (program, zone) = (program(), Zone::utc());
        let campaign = program.campaign(CampaignId(1)).unwrap();
        let from = Referrer { name: "A", language: None, zone: &zone };
        let template = campaign.message(2, &person(None), from).unwrap().template.unwrap();
        assert_eq!((template.header.as_deref(), &template.parameters[..]), (Some("Paul"), &["2".to_owned()][..]));
        let buttons: Vec<_> = template.buttons.iter().map(|button| (button.index, button.value.as_str())).collect();
        assert_eq!(buttons, [(0, "STOP"), (3, "Douala")]);
        let nobody = Recipient { attributes: BTreeMap::new(), ..person(None) };
        let fault = campaign.message(2, &nobody, from).unwrap_err();
        assert_eq!(fault.to_string(), "day 2 in `fr`, button 2: `attributes.city` is not defined");
    }

    #[test]
    fn a_fault_says_which_template_it_is_in() {
        let (program, zone) = (program(), Zone::utc());
        let campaign = program.campaign(CampaignId(1)).unwrap();
        let nobody = Recipient { attributes: BTreeMap::new(), ..person(None) };
        let fault =
            |day| campaign.message(day, &nobody, Referrer { name: "A", language: None, zone: &zone }).unwrap_err();
        assert_eq!(fault(1).to_string(), "day 1 in `fr`, caption 2: `attributes.city` is not defined");
        assert!(matches!(fault(1), Fault::Template { part: Part::Caption(1), .. }));
        assert_eq!(fault(3), Fault::NoDay(3));
        assert_eq!(campaign.attributes().into_iter().collect::<Vec<_>>(), ["city"]);
    }
}
