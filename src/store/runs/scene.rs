//! Inputs of run decisions that are not in the database.

use std::collections::BTreeMap;

use crate::core::dispatch::program::{FrozenCampaigns, Program};
use crate::core::domain::CampaignId;
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::ordering::Order;
use crate::core::lifecycle::send_resources::SendResources;
use crate::core::manifest::desired::Campaign;
use crate::core::manifest::desired::policy::Policies;

/// The campaigns in force by id; a missing id has no manifest.
pub(in crate::store) type Specs<'a> = BTreeMap<CampaignId, &'a Campaign>;

/// The inputs of run decisions that are not in the database.
pub(in crate::store) struct Scene<'a> {
    pub(in crate::store) specs: Specs<'a>,
    pub(in crate::store) order: &'a Order,
    pub(in crate::store) policies: &'a Policies,
    pub(in crate::store) resources: &'a SendResources,
    /// The campaigns that cannot run. Those whose spec is known are among `specs` too.
    pub(in crate::store) frozen: &'a FrozenCampaigns,
}

impl<'a> Scene<'a> {
    pub(in crate::store) fn of(program: &'a Program) -> Self {
        Self {
            specs: specs(program),
            order: &program.order,
            policies: &program.policies,
            resources: &program.resources,
            frozen: &program.frozen,
        }
    }
}

pub(in crate::store) fn specs(program: &Program) -> Specs<'_> {
    let frozen = program.frozen.iter().filter_map(|(id, campaign)| Some((*id, campaign.spec.as_ref()?)));
    program.campaigns().map(|(id, campaign)| (id, &campaign.spec)).chain(frozen).collect()
}

/// An operator's order that is being replaced, by its id, and the detail of its replacement.
pub(in crate::store) struct Replaced<'a> {
    pub(in crate::store) order: i64,
    pub(in crate::store) by: &'a Detail,
    pub(in crate::store) actor: &'a str,
}
