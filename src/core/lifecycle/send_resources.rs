//! The resources that campaigns send with: provider templates, and the numbers that channels share.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::domain::Language;
use crate::core::domain::{CampaignId, Name};
use crate::core::manifest::Desired;
use crate::core::manifest::desired::{Channel, TemplateMessage};

/// A template as its provider knows it, with its language in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template {
    pub name: String,
    pub language: String,
}

impl Template {
    pub fn of(template: &TemplateMessage) -> Self {
        Self::named(&template.name, &template.language)
    }

    fn named(name: &str, language: &Language) -> Self {
        Self { name: name.to_owned(), language: tag(language.as_str()) }
    }
}

/// Normalises a language tag, because providers write `pt_BR`.
pub fn tag(language: &str) -> String {
    language.replace('_', "-").to_ascii_lowercase()
}

/// The resources that a channel uses for accounts without their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    pub number: Option<String>,
    /// The channel's account at the provider, to which its numbers belong.
    pub business: Option<String>,
}

/// The send resources of all campaigns and channels in force.
#[derive(Debug, Clone, Default)]
pub struct SendResources {
    templates: BTreeMap<CampaignId, BTreeSet<Template>>,
    channels: BTreeMap<Name, Shared>,
}

impl SendResources {
    /// Returns the send resources that `desired` asks for; templates only of the campaigns that have an id in `ids`.
    pub fn of(desired: &Desired, ids: &BTreeMap<Name, CampaignId>) -> Self {
        let mut resources = Self::default();
        for (name, campaign) in &desired.campaigns {
            let shared = desired.sequences.get(&campaign.sequence).into_iter().flat_map(|sequence| &sequence.days);
            // A campaign's own day replaces the same day of its sequence.
            let shared = shared.filter(|(number, _)| !campaign.days.contains_key(number));
            let days = shared.chain(&campaign.days).map(|(_, day)| day);
            let templates = days.filter_map(|day| day.whatsapp_template.as_ref());
            let templates: BTreeSet<Template> = templates
                .flat_map(|template| {
                    template.languages.iter().map(|language| Template::named(&template.name, language))
                })
                .collect();
            if let Some(id) = ids.get(name).filter(|_| !templates.is_empty()) {
                resources.templates.insert(*id, templates);
            }
        }
        for (name, channel) in &desired.channels {
            if let Channel::WhatsappCloud(spec) = channel {
                let shared =
                    Shared { number: spec.phone_number_id.clone(), business: spec.business_account_id.clone() };
                resources.channels.insert(name.clone(), shared);
            }
        }
        resources
    }

    /// Returns the templates of a campaign.
    pub fn templates(&self, campaign: CampaignId) -> impl Iterator<Item = &Template> {
        self.templates.get(&campaign).into_iter().flatten()
    }

    /// Returns the campaigns that use a template with this name, in any language.
    pub fn using(&self, name: &str) -> Vec<CampaignId> {
        let uses = self.templates.iter().filter(|(_, all)| all.iter().any(|template| template.name == name));
        uses.map(|(campaign, _)| *campaign).collect()
    }

    /// Returns the numbers that channels share.
    pub fn numbers(&self) -> impl Iterator<Item = String> {
        self.channels.values().filter_map(|shared| shared.number.clone())
    }

    pub fn shared(&self, channel: &Name) -> Option<&Shared> {
        self.channels.get(channel)
    }
}
