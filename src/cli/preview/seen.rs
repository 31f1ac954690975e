//! The result of a preview: the contract of `preview -o json`.

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde::Serialize;

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::dispatch::preview;
use crate::core::dispatch::preview::Day;
use crate::core::dispatch::program::{CampaignProgram, Fault, Recipient, Referrer};
use crate::core::domain::{Language, NaiveDate, Name, Period};
use crate::core::manifest::desired::{Media, TemplateMessage, ZoneOf};
use crate::core::manifest::{Kind, Sources, locate};

#[derive(Debug, Serialize)]
pub(super) struct Previewed {
    pub(super) campaign: Name,
    pub(super) sequence: Name,
    pub(super) days_total: u16,
    pub(super) fallback_language: Language,
    /// The hours in which messages may leave, in `timezone`, which is null for the account's zone.
    pub(super) windows: String,
    pub(super) timezone: Option<String>,
    /// `recipient`: the hours are in the local time of each person, as far as it is known.
    pub(super) zone: ZoneOf,
    pub(super) person: Person,
    pub(super) versions: Vec<Version>,
}

/// The recipient of the messages.
#[derive(Debug, Serialize)]
pub(super) struct Person {
    /// Null, as `account` is, for an invented person.
    pub(super) referral: Option<String>,
    pub(super) account: Option<String>,
    pub(super) name: String,
    pub(super) referrer: String,
    pub(super) country: String,
    pub(super) profession: String,
    /// The registration date in the account's time zone.
    pub(super) registered_on: NaiveDate,
    pub(super) attributes: BTreeMap<String, String>,
}

/// All days, for a person of one language.
#[derive(Debug, Serialize)]
pub(super) struct Version {
    /// Null when the language is unknown.
    pub(super) language: Option<Language>,
    pub(super) days: Vec<Shown>,
}

/// One day of the sequence; it has an error when it has no message.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) day: u16,
    /// The delay after the previous day, or after enrollment for day 1.
    pub(super) after: Period,
    pub(super) message: Option<Message>,
    /// A diagnostic, as in `validate -o json`.
    pub(super) error: Option<Diagnostic>,
}

#[derive(Debug, Serialize)]
pub(super) struct Message {
    pub(super) language: Language,
    /// The reason for a language other than the person's; null when the message is in theirs.
    pub(super) fallback: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) text: String,
    pub(super) characters: usize,
    pub(super) media: Vec<Media>,
    /// The WhatsApp template, which goes instead of the text to people who did not write in the last 24 hours.
    pub(super) template: Option<TemplateMessage>,
    /// The reason why WhatsApp would refuse the template for this person, so that the day fails for them.
    pub(super) misfit: Option<String>,
}

impl Previewed {
    /// Assembles the preview; with `day`, of that day alone.
    pub(super) fn new(
        campaign: &CampaignProgram,
        person: Person,
        mut versions: Vec<Version>,
        day: Option<u16>,
    ) -> Self {
        for version in &mut versions {
            version.days.retain(|shown| day.is_none_or(|day| day == shown.day));
        }
        let schedule = &campaign.spec.schedule;
        Self {
            campaign: campaign.name.clone(),
            sequence: campaign.spec.sequence.clone(),
            days_total: campaign.cadence.days(),
            fallback_language: campaign.fallback().clone(),
            windows: schedule.windows.to_string(),
            timezone: schedule.timezone.as_ref().map(|zone| zone.as_str().to_owned()),
            zone: schedule.zone,
            person,
            versions,
        }
    }

    /// Returns true if any day cannot be sent.
    pub(super) fn has_errors(&self) -> bool {
        self.versions.iter().flat_map(|version| &version.days).any(|day| day.error.is_some())
    }
}

impl Person {
    /// Describes the recipient; `ids` are the referral and account ids of a real person.
    pub(super) fn new(recipient: &Recipient, referrer: Referrer<'_>, ids: Option<(&str, &str)>) -> Self {
        Self {
            referral: ids.map(|(referral, _)| referral.to_owned()),
            account: ids.map(|(_, account)| account.to_owned()),
            name: recipient.name.clone(),
            referrer: referrer.name.to_owned(),
            country: recipient.country.as_str().to_owned(),
            profession: recipient.profession.clone(),
            registered_on: referrer.zone.date(recipient.registered_at),
            attributes: recipient.attributes.clone(),
        }
    }
}

impl Version {
    pub(super) fn new(
        campaign: &CampaignProgram,
        recipient: &Recipient,
        referrer: Referrer<'_>,
        made_up: bool,
        sources: &Sources,
    ) -> anyhow::Result<Self> {
        let help = if made_up {
            "the attributes of the made-up person are words; look at somebody real with `--referral`"
        } else {
            "the run would pause at this message: give everybody the attribute, or write `{{ … | default('…') }}`"
        };
        let shown = |Day { day, after, message, fallback }| {
            let (message, error) = match message {
                Ok(message) => (Some(message), None),
                Err(fault) => (None, Some(diagnostic(&fault, campaign, sources)?.help(help))),
            };
            let message = message.map(|message| Message {
                characters: message.text.chars().count(),
                language: message.language,
                fallback,
                subject: message.subject,
                text: message.text,
                media: message.media,
                misfit: message.template.as_ref().and_then(TemplateMessage::misfit).map(|misfit| misfit.to_string()),
                template: message.template,
            });
            Ok(Shown { day, after, message, error })
        };
        let days = preview::days(campaign, recipient, referrer).into_iter().map(shown);
        Ok(Self { language: recipient.language.clone(), days: days.collect::<anyhow::Result<_>>()? })
    }
}

/// Converts a fault to a diagnostic placed at its template in the files.
fn diagnostic(fault: &Fault, campaign: &CampaignProgram, sources: &Sources) -> anyhow::Result<Diagnostic> {
    let Fault::Template { day, part, error, .. } = fault else { return Err(anyhow!(fault.clone())) };
    let owners = [(Kind::Campaign, &campaign.name), (Kind::Sequence, &campaign.spec.sequence)];
    let place = locate(sources, &owners, *day, part, error.range.as_ref()).ok_or_else(|| anyhow!(fault.clone()))?;
    Ok(Diagnostic::new(Code::TemplateFails, place, fault.to_string()))
}
