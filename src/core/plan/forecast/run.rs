//! The input of a forecast: the account and each of its runs.

use crate::core::dispatch::cadence::Cadence;
use crate::core::dispatch::gate;
use crate::core::dispatch::pacing::Pace;
use crate::core::domain::{CampaignId, Timestamp, Zone};
use crate::core::lifecycle::enrollment::Taken;
use crate::core::lifecycle::ordering::Order;
use crate::core::lifecycle::overrides::Orders;
use crate::core::lifecycle::run::Phase;
use crate::core::manifest::desired::Campaign;
use crate::core::manifest::desired::policy::AccountPolicy;

/// The account and its usage of the day.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    pub zone: &'a Zone,
    pub policy: &'a AccountPolicy,
    /// The ordering of the campaigns.
    pub order: &'a Order,
    pub facts: gate::Account,
    /// The messages already sent on this local day.
    pub taken: u32,
    pub pace: Pace,
}

/// A run that is not over, or one that will be created.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, not one state in disguise")]
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The campaign's id in the ordering.
    pub id: CampaignId,
    pub spec: &'a Campaign,
    pub cadence: &'a Cadence,
    /// The operators' overrides.
    pub orders: Orders<'a>,
    pub phase: Phase,
    /// The run does not start, because it would outlive the account's subscription.
    pub refused: bool,
    pub started: bool,
    /// The campaign selects this account.
    pub selected: bool,
    /// A message could not be rendered, and the campaign has not changed since.
    pub faulty: bool,
    /// The run's messages already sent on this local day.
    pub sent: u32,
    pub taken: Taken,
    pub last_pass_found: u32,
    /// The last pass left out people who are active in another run.
    pub busy: bool,
    pub enroll_at: Option<Timestamp>,
    /// When a run that waits for people looks for them next.
    pub look_at: Option<Timestamp>,
}

impl<'a> Run<'a> {
    /// Returns a run that has not done anything yet.
    pub fn new(id: CampaignId, spec: &'a Campaign, cadence: &'a Cadence) -> Self {
        Self {
            id,
            spec,
            cadence,
            orders: Orders::default(),
            phase: Phase::Draft,
            refused: false,
            started: false,
            selected: true,
            faulty: false,
            sent: 0,
            taken: Taken::default(),
            last_pass_found: 0,
            busy: false,
            enroll_at: None,
            look_at: None,
        }
    }
}
