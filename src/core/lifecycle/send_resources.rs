//! By what means campaigns write: the templates they have the provider send, and the numbers that channels share.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::domain::{CampaignId, Name};
use crate::core::manifest::Desired;
use crate::core::manifest::desired::{Channel, WhatsappTemplate};

/// A template as its provider knows it, in small letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template {
    pub name: String,
    pub language: String,
}

impl Template {
    pub fn of(template: &WhatsappTemplate) -> Self {
        Self { name: template.name.clone(), language: tag(template.language.as_str()) }
    }
}

/// A language as all write it: providers say `pt_BR`.
pub fn tag(language: &str) -> String {
    language.replace('_', "-").to_ascii_lowercase()
}

/// What a channel sends by for accounts that have nothing of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    pub number: Option<String>,
    /// The account at the provider that its numbers belong to.
    pub business: Option<String>,
}

/// The means of all campaigns and channels in force.
#[derive(Debug, Clone, Default)]
pub struct SendResources {
    templates: BTreeMap<CampaignId, BTreeSet<Template>>,
    channels: BTreeMap<Name, Shared>,
}

impl SendResources {
    /// Those that `desired` asks for, of the campaigns that have a number in `ids`.
    pub fn of(desired: &Desired, ids: &BTreeMap<Name, CampaignId>) -> Self {
        let mut means = Self::default();
        for (name, campaign) in &desired.campaigns {
            let shared = desired.sequences.get(&campaign.sequence).into_iter().flat_map(|sequence| &sequence.days);
            // A day of its own stands in place of the one of its sequence.
            let shared = shared.filter(|(number, _)| !campaign.days.contains_key(number));
            let days = shared.chain(&campaign.days).map(|(_, day)| day);
            let templates: BTreeSet<Template> =
                days.filter_map(|day| day.whatsapp_template.as_ref()).map(Template::of).collect();
            if let Some(id) = ids.get(name).filter(|_| !templates.is_empty()) {
                means.templates.insert(*id, templates);
            }
        }
        for (name, channel) in &desired.channels {
            if let Channel::WhatsappCloud(spec) = channel {
                let shared =
                    Shared { number: spec.phone_number_id.clone(), business: spec.business_account_id.clone() };
                means.channels.insert(name.clone(), shared);
            }
        }
        means
    }

    /// The templates of a campaign.
    pub fn templates(&self, campaign: CampaignId) -> impl Iterator<Item = &Template> {
        self.templates.get(&campaign).into_iter().flatten()
    }

    /// The campaigns that use a template of this name, whatever its language.
    pub fn using(&self, name: &str) -> Vec<CampaignId> {
        let uses = self.templates.iter().filter(|(_, all)| all.iter().any(|template| template.name == name));
        uses.map(|(campaign, _)| *campaign).collect()
    }

    /// The numbers that channels share.
    pub fn numbers(&self) -> impl Iterator<Item = String> {
        self.channels.values().filter_map(|shared| shared.number.clone())
    }

    pub fn shared(&self, channel: &Name) -> Option<&Shared> {
        self.channels.get(channel)
    }
}
