//! The message for one person on one day: the only place where texts meet facts.

use std::collections::BTreeMap;

use super::{CampaignProgram, DayProgram, Whereabouts};
use crate::core::domain::{Country, Language, Timestamp, Zone};
use crate::core::manifest::choose;
use crate::core::manifest::desired::{Button, Header, Media, Part, Slot, TemplateMessage, one_line};
use crate::core::template::{RenderError, Template, Vars, opt_out_hint};

/// The recipient, with the facts that texts may mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub name: String,
    pub language: Option<Language>,
    pub country: Country,
    /// The person's own zone, if the export tells it.
    pub timezone: Option<Zone>,
    /// The profession; empty when unknown.
    pub profession: String,
    pub registered_at: Timestamp,
    pub attributes: BTreeMap<String, String>,
}

impl Recipient {
    pub fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts { timezone: self.timezone.as_ref(), country: self.country }
    }
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
    /// The WhatsApp template, for people who have not written recently. Its language may differ from that of the text.
    pub template: Option<TemplateMessage>,
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
        Part::Template(slot) => format!(", {slot}"),
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
        let render_in = |language: &Language, part: Part, template: &Template| {
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
            template.render(&vars).map_err(|error| Fault::Template { day, language: language.clone(), part, error })
        };
        let render = |part: Part, template: &Template| render_in(language, part, template);
        let in_template = program.template_language(&preferred, &self.fallback);
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
            template: in_template.map(|language| program.template(language, render_in)).transpose()?.flatten(),
        })
    }
}

impl DayProgram {
    /// Returns the language of the WhatsApp template for a person: theirs, else the account's, else the fallback.
    fn template_language(&self, preferred: &[Option<&Language>], fallback: &Language) -> Option<&Language> {
        let languages = &self.day.whatsapp_template.as_ref()?.languages;
        let approved: BTreeMap<Language, &Language> =
            languages.iter().map(|language| (language.clone(), language)).collect();
        let choice = choose(&approved, preferred, fallback);
        // `validate` refuses a template that lacks the fallback language.
        choice.and_then(|choice| languages.iter().find(|language| *language == choice.language)).or(languages.first())
    }

    fn template(
        &self,
        language: &Language,
        render: impl Fn(&Language, Part, &Template) -> Result<String, Fault>,
    ) -> Result<Option<TemplateMessage>, Fault> {
        let Some(template) = &self.day.whatsapp_template else { return Ok(None) };
        let render =
            |slot, template: &Template| render(language, Part::Template(slot), template).map(|value| one_line(&value));
        let header = template.header.as_ref().zip(self.header.as_ref());
        let header = header.map(|(header, value)| Ok(Header::with(header, render(Slot::Header, value)?)));
        let parameters = template.parameters.iter().zip(&self.parameters);
        let parameters: Vec<String> =
            parameters.map(|((slot, _), value)| render(slot, value)).collect::<Result<_, _>>()?;
        let buttons = template.buttons.iter().zip(&self.buttons).enumerate();
        let buttons = buttons.map(|(index, (button, value))| {
            Ok(Button { value: render(Slot::Button(index), value)?, ..button.clone() })
        });
        Ok(Some(TemplateMessage {
            name: template.name.clone(),
            language: language.clone(),
            header: header.transpose()?,
            parameters: template.parameters.with(parameters),
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

    use super::{Fault, Part, Recipient, Referrer, Slot, SpokenBy};
    use crate::core::dispatch::program::Program;
    use crate::core::domain::{CampaignId, Country, Language, Name, Zone};
    use crate::core::manifest;
    use crate::core::manifest::desired::Misfit;
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
        language: [fr, en]
        header: '{{ name }}'
        parameters: ['{{ day }}']
        buttons: [{type: quickReply, value: STOP}, {type: url, value: '{{ attributes.city }}', index: 3}]
    - day: 3
      text: {fr: 'Toujours', en: 'Still'}
      whatsappTemplate: {name: still, header: {who: '{{ name }}'}, parameters: {hint: '{{ optOutHint }}', tag: '{{ language }}'}}
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
            timezone: None,
            profession: String::new(),
            registered_at: "2026-11-20T10:00:00Z".parse().unwrap(),
            attributes: BTreeMap::from([("city".to_owned(), "Douala".to_owned())]),
        }
    }

    #[test]
    fn the_parts_of_a_message_share_one_language_if_available() {
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
    fn every_whatsapp_template_parameter_is_rendered() {
        let (program, zone) = (program(), Zone::utc());
        let campaign = program.campaign(CampaignId(1)).unwrap();
        let from = Referrer { name: "A", language: None, zone: &zone };
        let template = campaign.message(2, &person(None), from).unwrap().template.unwrap();
        assert_eq!(template.to_string(), "again (fr): Paul · 2 · STOP · Douala");
        let buttons: Vec<_> = template.buttons.iter().map(|button| (button.index, button.value.as_str())).collect();
        assert_eq!(buttons, [(0, "STOP"), (3, "Douala")]);
        let nobody = Recipient { attributes: BTreeMap::new(), ..person(None) };
        let fault = campaign.message(2, &nobody, from).unwrap_err();
        assert_eq!(fault.to_string(), "day 2 in `fr`, button 2: `attributes.city` is not defined");
    }

    #[test]
    fn a_template_goes_in_the_language_of_the_person_and_its_values_follow() {
        let (program, zone) = (program(), Zone::utc());
        let campaign = program.campaign(CampaignId(1)).unwrap();
        let english = Language::parse("en").unwrap();
        let sent = |day: u16, own: Option<&str>, accounts: Option<&Language>| {
            let message = campaign.message(day, &person(own), Referrer { name: "A", language: accounts, zone: &zone });
            let message = message.unwrap();
            (message.language.to_string(), message.template.unwrap().to_string())
        };
        let day_3 = |language: &str, hint: &str| {
            (language.to_owned(), format!("still ({language}): who=Paul · hint={hint} · tag={language}"))
        };
        let (stop, arret) = ("Reply STOP to opt out.", "Répondez STOP pour ne plus recevoir de messages.");
        assert_eq!(sent(3, Some("en-GB"), None), day_3("en", stop));
        assert_eq!(sent(3, Some("fr"), Some(&english)), day_3("fr", arret));
        assert_eq!(sent(3, Some("sw"), Some(&english)), day_3("en", stop));
        assert_eq!(sent(3, Some("sw"), None), day_3("fr", arret));
        // The day has no English text, and its template has one: the template that was approved counts.
        let expected = ("fr".to_owned(), "again (en): Paul · 2 · STOP · Douala".to_owned());
        assert_eq!(sent(2, Some("en"), None), expected);
    }

    #[test]
    fn values_of_a_template_are_on_one_line_as_whatsapp_wants_them() {
        let (program, zone) = (program(), Zone::utc());
        let campaign = program.campaign(CampaignId(1)).unwrap();
        let from = Referrer { name: "A", language: None, zone: &zone };
        let messy = Recipient { name: " Paul\r\n\tde \u{a0}     Douala ".to_owned(), ..person(None) };
        let template = campaign.message(2, &messy, from).unwrap().template.unwrap();
        assert_eq!(template.to_string(), "again (fr): Paul de Douala · 2 · STOP · Douala");
        assert_eq!(template.misfit(), None);
        let nameless = Recipient { name: "\u{200b}\n".to_owned(), ..person(None) };
        let misfit = campaign.message(2, &nameless, from).unwrap().template.unwrap().misfit();
        assert_eq!(misfit, Some(Misfit::Blank(Slot::Header)));
    }

    #[test]
    fn a_template_fault_names_its_day_and_part() {
        let (program, zone) = (program(), Zone::utc());
        let campaign = program.campaign(CampaignId(1)).unwrap();
        let nobody = Recipient { attributes: BTreeMap::new(), ..person(None) };
        let fault =
            |day| campaign.message(day, &nobody, Referrer { name: "A", language: None, zone: &zone }).unwrap_err();
        assert_eq!(fault(1).to_string(), "day 1 in `fr`, caption 2: `attributes.city` is not defined");
        assert!(matches!(fault(1), Fault::Template { part: Part::Caption(1), .. }));
        assert_eq!(fault(4), Fault::NoDay(4));
        assert_eq!(campaign.attributes().into_iter().collect::<Vec<_>>(), ["city"]);
    }
}
