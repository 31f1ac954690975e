//! The desired state made ready to run: what a sender holds in memory, one compiled campaign each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::cadence::Cadence;
use crate::domain::{CampaignId, Language, Name, Zone};
use crate::manifest::choose;
use crate::manifest::desired::{AccountPolicy, Campaign, Day, Desired, Sequence};
use crate::template::{Problem, Template, Vars};

/// All campaigns that have a number in the database, compiled.
#[derive(Debug, Default)]
pub struct Program {
    /// The generation of the desired state it was compiled from; whoever uses a stale one is told.
    pub generation: i64,
    /// The revision that messages sent by it name as their origin.
    pub revision: i32,
    pub accounts: AccountPolicy,
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
        Ok(Self { generation, revision, accounts: desired.accounts.clone(), campaigns })
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
    templates: BTreeMap<Language, Template>,
}

impl DayProgram {
    fn compile(day: &Day) -> Result<Self, Problem> {
        let compile = |(language, text): (&Language, &String)| Ok((language.clone(), Template::compile(text)?));
        Ok(Self { day: day.clone(), templates: day.text.iter().map(compile).collect::<Result<_, _>>()? })
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

    /// The zone of the windows: the schedule's, else the account's.
    pub fn zone<'a>(&'a self, account: &'a Zone) -> &'a Zone {
        self.spec.schedule.timezone.as_ref().unwrap_or(account)
    }

    /// The text of `day` in the first of `preferred` that it has, else in the fallback language.
    pub fn render<'a>(
        &'a self,
        day: u16,
        preferred: &[Option<&Language>],
        vars: impl FnOnce(&'a Language) -> Vars<'a>,
    ) -> Result<(Language, String), String> {
        let program = self.day(day).ok_or_else(|| format!("day {day} is not in the sequence"))?;
        let (language, _) = choose(&program.day, preferred, &self.fallback)
            .ok_or_else(|| format!("day {day} has no text in `{}`", self.fallback))?;
        let template =
            program.templates.get(language).ok_or_else(|| format!("day {day} has no text in `{language}`"))?;
        let text = template.render(&vars(language)).map_err(|error| format!("day {day} in `{language}`: {error}"))?;
        Ok((language.clone(), text))
    }
}
