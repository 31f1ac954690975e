//! Campaigns that cannot run, because something stored that they need cannot be used.

use std::collections::BTreeMap;

use super::DayProgram;
use crate::core::domain::{CampaignId, Name};
use crate::core::lifecycle::detail::Detail;
use crate::core::manifest::desired::{Campaign, Day, Defect};
use crate::core::manifest::{Desired, Kind};
use crate::core::template::Problem;

/// A campaign that neither enrolls nor sends until it can be used again. Its runs pause.
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenCampaign {
    pub name: Name,
    /// The unusable object and its defect.
    pub why: Detail,
    /// The campaign, unless it is itself the object that cannot be used.
    pub spec: Option<Campaign>,
}

/// The frozen campaigns by id.
pub type FrozenCampaigns = BTreeMap<CampaignId, FrozenCampaign>;

/// Returns the campaigns that an unusable object freezes; `ids` holds the campaigns that the database knows.
pub fn frozen(desired: &Desired, ids: &BTreeMap<Name, CampaignId>) -> FrozenCampaigns {
    if desired.unusable.is_empty() {
        return FrozenCampaigns::new();
    }
    let unusable = |kind: Kind, name: &Name| {
        desired.unusable.get(&(kind, name.clone())).map(|unusable| why(kind, name, unusable.defect.clone()))
    };
    let themselves = desired.unusable.iter().filter(|((kind, _), _)| *kind == Kind::Campaign);
    let themselves = themselves.filter_map(|((kind, name), unusable)| {
        let why = why(*kind, name, unusable.defect.clone());
        Some((*ids.get(name)?, FrozenCampaign { name: name.clone(), why, spec: None }))
    });
    let dependents = desired.campaigns.iter().filter_map(|(name, spec)| {
        let channel = || spec.channel.as_ref().and_then(|channel| unusable(Kind::Channel, channel));
        let why = unusable(Kind::Sequence, &spec.sequence).or_else(channel)?;
        Some((*ids.get(name)?, FrozenCampaign { name: name.clone(), why, spec: Some(spec.clone()) }))
    });
    themselves.chain(dependents).collect()
}

/// Returns the detail of a campaign that needs an unusable object.
pub(super) fn why(kind: Kind, name: &Name, defect: Defect) -> Detail {
    Detail::StoredUnusable { kind, name: name.to_string(), defect }
}

/// Finds the sequences and campaigns of `desired` whose templates do not compile, with their defects.
///
/// Those that are the same in `files` were checked there and are not compiled again.
pub fn uncompilable(desired: &Desired, files: &Desired) -> Vec<((Kind, Name), Defect)> {
    let sequences = desired.sequences.iter().filter(|(name, sequence)| files.sequences.get(*name) != Some(*sequence));
    let sequences = sequences.map(|(name, sequence)| (Kind::Sequence, name, &sequence.days));
    let campaigns = desired.campaigns.iter().filter(|(name, campaign)| files.campaigns.get(*name) != Some(*campaign));
    let campaigns = campaigns.map(|(name, campaign)| (Kind::Campaign, name, &campaign.days));
    let suspects = sequences.chain(campaigns);
    suspects.filter_map(|(kind, name, days)| Some(((kind, name.clone()), defect(days)?))).collect()
}

/// Returns the defect of the first of `days` that does not compile.
fn defect(days: &BTreeMap<u16, Day>) -> Option<Defect> {
    days.iter().find_map(|(number, day)| Some(uncompilable_day(*number, &DayProgram::compile(day).err()?)))
}

pub(super) fn uncompilable_day(day: u16, problem: &Problem) -> Defect {
    Defect::Uncompilable { day, text: problem.to_string() }
}
