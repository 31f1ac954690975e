//! The desired state compiled for sending: what a dispatcher holds in memory, with one program for each campaign.

mod frozen;
mod message;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use self::frozen::{FrozenCampaign, FrozenCampaigns, frozen, uncompilable};
use self::frozen::{uncompilable_day, why};
pub use self::message::{Fault, Recipient, Referrer, Rendered, SpokenBy};
use crate::core::dispatch::cadence::Cadence;
use crate::core::domain::{CampaignId, Country, Language, Name, Zone};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::ordering::Order;
use crate::core::lifecycle::send_resources::SendResources;
use crate::core::manifest::Kind;
use crate::core::manifest::desired::policy::{AccountPolicy, Policies};
use crate::core::manifest::desired::{Campaign, Channel, Day, Defect, Desired, Schedule, Sequence, ZoneOf};
use crate::core::template::{Problem, Template};

/// The compiled programs of all campaigns that have an id in the database.
#[derive(Debug, Default)]
pub struct Program {
    /// The generation of the desired state that was compiled. Store verbs reject a stale generation.
    pub generation: i64,
    /// The revision recorded as the origin of messages.
    pub revision: i32,
    /// The policy of each account.
    pub policies: Policies,
    /// The ordering of the campaigns.
    pub order: Order,
    /// The send resources of the campaigns.
    pub resources: SendResources,
    /// The channels that accept free text only within an open conversation.
    pub conversational: BTreeSet<Name>,
    /// The campaigns that cannot run.
    pub frozen: FrozenCampaigns,
    campaigns: HashMap<CampaignId, Arc<CampaignProgram>>,
}

impl Program {
    /// Compiles `desired`; `ids` holds the campaigns that the database knows.
    ///
    /// A campaign that cannot be compiled is frozen, and the others run. The manifest check rejects such a campaign, so
    /// it comes from a damaged row or from another version.
    pub fn compile(desired: &Desired, ids: &BTreeMap<Name, CampaignId>, generation: i64, revision: i32) -> Self {
        // Campaigns that share a sequence share its compiled days.
        let mut shared: HashMap<(&Name, u16), Result<Arc<DayProgram>, Defect>> = HashMap::new();
        for (name, sequence) in &desired.sequences {
            for (number, day) in &sequence.days {
                let day = DayProgram::compile(day).map(Arc::new);
                shared.insert((name, *number), day.map_err(|problem| uncompilable_day(*number, &problem)));
            }
        }
        let mut frozen = frozen(desired, ids);
        let mut campaigns = HashMap::new();
        for (name, campaign) in &desired.campaigns {
            let (Some(id), Some(sequence)) = (ids.get(name), desired.sequences.get(&campaign.sequence)) else {
                continue;
            };
            if frozen.contains_key(id) {
                continue;
            }
            let program = CampaignProgram::compile(name, campaign, sequence, |day| {
                shared.get(&(&campaign.sequence, day)).cloned()
            });
            match program {
                Ok(program) => drop(campaigns.insert(*id, Arc::new(program))),
                Err((kind, defect)) => {
                    let why = why(kind, if kind == Kind::Sequence { &campaign.sequence } else { name }, defect);
                    frozen.insert(*id, FrozenCampaign { name: name.clone(), why, spec: Some(campaign.clone()) });
                }
            }
        }
        let order = Order::of(desired, ids);
        let resources = SendResources::of(desired, ids);
        let conversational =
            desired.channels.iter().filter(|(_, channel)| matches!(channel, Channel::WhatsappCloud(_)));
        let conversational = conversational.map(|(name, _)| name.clone()).collect();
        let policies = desired.policies();
        Self { generation, revision, policies, order, resources, conversational, frozen, campaigns }
    }

    /// Returns the reason why the campaign of this name cannot run, if so.
    pub fn why_frozen(&self, name: &str) -> Option<&Detail> {
        let mut frozen = self.frozen.values();
        frozen.find(|campaign| campaign.name.as_str() == name).map(|campaign| &campaign.why)
    }

    pub fn campaign(&self, id: CampaignId) -> Option<&CampaignProgram> {
        self.campaigns.get(&id).map(AsRef::as_ref)
    }

    /// Returns the campaign of this name, whether it can run or not; `None` if it cannot be read.
    pub fn spec(&self, name: &str) -> Option<&Campaign> {
        let frozen = self.frozen.values().find(|campaign| campaign.name.as_str() == name);
        let running = self.campaigns.values().find(|campaign| campaign.name.as_str() == name);
        running.map(|campaign| &campaign.spec).or(frozen.and_then(|campaign| campaign.spec.as_ref()))
    }

    /// Returns the campaigns in no particular order.
    pub fn campaigns(&self) -> impl Iterator<Item = (CampaignId, &CampaignProgram)> {
        self.campaigns.iter().map(|(id, program)| (*id, program.as_ref()))
    }
}

/// The facts of a person that tell their local time.
#[derive(Debug, Clone, Copy)]
pub struct Whereabouts<'a> {
    pub timezone: Option<&'a Zone>,
    pub country: Country,
}

/// Returns the zone of the windows and days of `schedule` for one person.
pub fn zone_for<'a>(schedule: &'a Schedule, to: Whereabouts<'a>, account: &'a Zone) -> &'a Zone {
    let usual = schedule.timezone.as_ref().unwrap_or(account);
    match schedule.zone {
        ZoneOf::Account => usual,
        ZoneOf::Recipient => to.timezone.or_else(|| to.country.only_zone()).unwrap_or(usual),
    }
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
    /// One caption for each of the media.
    captions: Vec<Option<Template>>,
    /// The values of the WhatsApp template: its header, its parameters in their order, its buttons.
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
        let header = template.and_then(|template| template.header.as_ref()).filter(|_| day.media.is_empty());
        let parameters = template.into_iter().flat_map(|template| template.parameters.iter());
        let buttons = template.into_iter().flat_map(|template| &template.buttons);
        Ok(Self {
            texts: compile(&day.text)?,
            subjects: compile(&day.subject)?,
            captions: captions.collect::<Result<_, _>>()?,
            // A medium takes the place of the text header.
            header: header.map(|header| Template::compile(header.value())).transpose()?,
            parameters: parameters.map(|(_, text)| Template::compile(text)).collect::<Result<_, _>>()?,
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
    /// Compiles one campaign, or returns the defect of a template and the kind of the object that has it.
    fn compile(
        name: &Name,
        campaign: &Campaign,
        sequence: &Sequence,
        shared: impl Fn(u16) -> Option<Result<Arc<DayProgram>, Defect>>,
    ) -> Result<Self, (Kind, Defect)> {
        let mut days = Vec::new();
        for number in sequence.days.keys() {
            let day = match (campaign.days.get(number), shared(*number)) {
                (Some(own), _) => DayProgram::compile(own)
                    .map(Arc::new)
                    .map_err(|problem| (Kind::Campaign, uncompilable_day(*number, &problem)))?,
                (None, Some(day)) => day.map_err(|defect| (Kind::Sequence, defect))?,
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

    /// Returns the channel for an account with this policy: the campaign's, else the account's.
    ///
    /// `None` means the built-in sandbox.
    pub fn channel<'a>(&'a self, policy: &'a AccountPolicy) -> Option<&'a Name> {
        self.spec.channel.as_ref().or(policy.channel.as_ref())
    }

    /// Returns the zone of the windows: the schedule's, else the account's.
    pub fn zone<'a>(&'a self, account: &'a Zone) -> &'a Zone {
        self.spec.schedule.timezone.as_ref().unwrap_or(account)
    }

    /// Returns the zone of the windows and days for one person: with `zone: recipient` theirs, as far as it is known.
    pub fn zone_for<'a>(&'a self, to: Whereabouts<'a>, account: &'a Zone) -> &'a Zone {
        zone_for(&self.spec.schedule, to, account)
    }

    /// Returns the language for people whose own language has no text.
    pub fn fallback(&self) -> &Language {
        &self.fallback
    }

    /// Returns the languages that have a text on at least one day.
    pub fn languages(&self) -> BTreeSet<&Language> {
        self.days.iter().flat_map(|day| day.texts.keys()).collect()
    }

    /// Returns the names of the attributes that the texts use.
    pub fn attributes(&self) -> BTreeSet<String> {
        self.days.iter().flat_map(|day| day.templates()).flat_map(Template::attributes).collect()
    }
}
