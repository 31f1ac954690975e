//! The campaigns that a plan affects.

use std::collections::BTreeSet;

use super::{Kind, Plan};
use crate::core::domain::Name;
use crate::core::manifest::Desired;

/// Returns the campaigns that the plan changes, directly or through their sequence or the defaults.
pub fn affected<'a>(plan: &Plan, desired: &'a Desired) -> BTreeSet<&'a Name> {
    let changed: BTreeSet<(Kind, &Name)> = plan.changes.iter().map(|change| (change.kind, &change.name)).collect();
    let everything = changed.iter().any(|(kind, _)| matches!(kind, Kind::Defaults | Kind::Channel));
    let changed = |kind, name| changed.contains(&(kind, name));
    let campaigns = desired
        .campaigns
        .iter()
        .filter(|(name, spec)| everything || changed(Kind::Campaign, name) || changed(Kind::Sequence, &spec.sequence));
    campaigns.map(|(name, _)| name).collect()
}
