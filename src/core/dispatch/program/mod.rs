//! The desired state made ready to run: what a sender holds in memory, one compiled campaign each.

mod message;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use self::message::{Fault, Recipient, Referrer, Rendered, SpokenBy};
use crate::core::dispatch::cadence::Cadence;
use crate::core::domain::{CampaignId, Language, Name, Zone};
use crate::core::lifecycle::ordering::Order;
use crate::core::lifecycle::send_resources::SendResources;
use crate::core::manifest::desired::policy::{AccountPolicy, Policies};
use crate::core::manifest::desired::{Campaign, Channel, Day, Desired, Sequence};
use crate::core::template::{Problem, Template};

/// All campaigns that have a number in the database, compiled.
#[derive(Debug, Default)]
pub struct Program {
    /// The generation of the desired state it was compiled from; whoever uses a stale one is told.
    pub generation: i64,
    /// The revision that messages sent by it name as their origin.
    pub revision: i32,
    /// What holds for each account.
    pub policies: Policies,
    /// Who waits for whom.
    pub order: Order,
    /// By what means campaigns write.
    pub means: SendResources,
    /// Channels that take free text only within an open conversation.
    pub conversational: BTreeSet<Name>,
    campaigns: HashMap<CampaignId, Arc<CampaignProgram>>,
}

impl Program {
    /// Compiles what `desired` asks for; `ids` says which campaigns the database knows.
    ///
    /// # Errors
    /// The campaign that cannot be compiled. The check of the manifests lets no such campaign through.
    pub fn compile(
        desired: &Desired,
        ids: &BTreeMap<Name, CampaignId>,
        generation: i64,
        revision: i32,
    ) -> Result<Self, Broken> {
        // Campaigns that share a sequence share its compiled days.
        let mut shared: HashMap<(&Name, u16), Arc<DayProgram>> = HashMap::new();
        for (name, sequence) in &desired.sequences {
            for (number, day) in &sequence.days {
                let day =
                    DayProgram::compile(day).map_err(|error| Broken { name: name.clone(), day: *number, error })?;
                shared.insert((name, *number), Arc::new(day));
            }
        }
        let mut campaigns = HashMap::new();
        for (name, campaign) in &desired.campaigns {
            let (Some(id), Some(sequence)) = (ids.get(name), desired.sequences.get(&campaign.sequence)) else {
                continue;
            };
            let program = CampaignProgram::compile(name, campaign, sequence, |day| {
                shared.get(&(&campaign.sequence, day)).map(Arc::clone)
            })?;
            campaigns.insert(*id, Arc::new(program));
        }
        let order = Order::of(desired, ids);
        let means = SendResources::of(desired, ids);
        let conversational =
            desired.channels.iter().filter(|(_, channel)| matches!(channel, Channel::WhatsappCloud(_)));
        let conversational = conversational.map(|(name, _)| name.clone()).collect();
        Ok(Self { generation, revision, policies: desired.policies(), order, means, conversational, campaigns })
    }

    pub fn campaign(&self, id: CampaignId) -> Option<&CampaignProgram> {
        self.campaigns.get(&id).map(AsRef::as_ref)
    }

    /// The campaigns in no particular order.
    pub fn campaigns(&self) -> impl Iterator<Item = (CampaignId, &CampaignProgram)> {
        self.campaigns.iter().map(|(id, program)| (*id, program.as_ref()))
    }
}

/// A template that does not compile.
#[derive(Debug, thiserror::Error)]
#[error("day {day} of `{name}` does not compile")]
pub struct Broken {
    name: Name,
    day: u16,
    #[source]
    error: Problem,
}

/// One campaign, ready to run.
#[derive(Debug)]
pub struct CampaignProgram {
    pub name: Name,
    pub spec: Campaign,
    pub cadence: Cadence,
    days: Vec<Arc<DayProgram>>,
    fallback: Language,
}

#[derive(Debug)]
struct DayProgram {
    day: Day,
    texts: BTreeMap<Language, Template>,
    subjects: BTreeMap<Language, Template>,
    /// One for each of the media.
    captions: Vec<Option<Template>>,
    /// These are of the template for WhatsApp.
    header: Option<Template>,
    parameters: Vec<Template>,
    buttons: Vec<Template>,
}

impl DayProgram {
    fn compile(day: &Day) -> Result<Self, Problem> {
        let compile = |texts: &BTreeMap<Language, String>| -> Result<_, Problem> {
            texts.iter().map(|(language, text)| Ok((language.clone(), Template::compile(text)?))).collect()
        };
        let captions = day.media.iter().map(|media| media.caption.as_deref().map(Template::compile).transpose());
        let template = day.whatsapp_template.as_ref();
        let parameters = template.into_iter().flat_map(|template| &template.parameters);
        let buttons = template.into_iter().flat_map(|template| &template.buttons);
        Ok(Self {
            texts: compile(&day.text)?,
            subjects: compile(&day.subject)?,
            captions: captions.collect::<Result<_, _>>()?,
            header: template.and_then(|template| template.header.as_deref()).map(Template::compile).transpose()?,
            parameters: parameters.map(|text| Template::compile(text)).collect::<Result<_, _>>()?,
            buttons: buttons.map(|button| Template::compile(&button.value)).collect::<Result<_, _>>()?,
            day: day.clone(),
        })
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        let of_days = self.texts.values().chain(self.subjects.values()).chain(self.captions.iter().flatten());
        of_days.chain(&self.header).chain(&self.parameters).chain(&self.buttons)
    }
}

impl CampaignProgram {
    fn compile(
        name: &Name,
        campaign: &Campaign,
        sequence: &Sequence,
        shared: impl Fn(u16) -> Option<Arc<DayProgram>>,
    ) -> Result<Self, Broken> {
        let mut days = Vec::new();
        for number in sequence.days.keys() {
            let day = match (campaign.days.get(number), shared(*number)) {
                (Some(own), _) => DayProgram::compile(own).map(Arc::new).map_err(|error| Broken {
                    name: name.clone(),
                    day: *number,
                    error,
                })?,
                (None, Some(day)) => day,
                (None, None) => continue,
            };
            days.push(day);
        }
        let fallback = sequence.fallback_language.clone();
        let cadence = Cadence::of(campaign, sequence);
        Ok(Self { name: name.clone(), spec: campaign.clone(), cadence, days, fallback })
    }

    fn day(&self, day: u16) -> Option<&DayProgram> {
        self.days.get(usize::from(day).checked_sub(1)?).map(AsRef::as_ref)
    }

    /// The channel by which it writes for an account of this policy: its own, else the account's; `None`: the built-in
    /// sandbox.
    pub fn channel<'a>(&'a self, policy: &'a AccountPolicy) -> Option<&'a Name> {
        self.spec.channel.as_ref().or(policy.channel.as_ref())
    }

    /// The zone of the windows: the schedule's, else the account's.
    pub fn zone<'a>(&'a self, account: &'a Zone) -> &'a Zone {
        self.spec.schedule.timezone.as_ref().unwrap_or(account)
    }

    /// What people get whose language has no text.
    pub fn fallback(&self) -> &Language {
        &self.fallback
    }

    /// The languages in which it has a text on one day at least.
    pub fn languages(&self) -> BTreeSet<&Language> {
        self.days.iter().flat_map(|day| day.texts.keys()).collect()
    }

    /// The names of the attributes that its texts ask for.
    pub fn attributes(&self) -> BTreeSet<String> {
        self.days.iter().flat_map(|day| day.templates()).flat_map(Template::attributes).collect()
    }
}
