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

/// The account and how far its day has come.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    pub zone: &'a Zone,
    pub policy: &'a AccountPolicy,
    /// Who waits for whom.
    pub order: &'a Order,
    pub facts: gate::Account,
    /// Messages that left on this local day.
    pub taken: u32,
    pub pace: Pace,
}

/// A run that is not over, or one that is going to be made.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, not one state in disguise")]
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// As the order knows it.
    pub id: CampaignId,
    pub spec: &'a Campaign,
    pub cadence: &'a Cadence,
    /// What operators ordered for it.
    pub orders: Orders<'a>,
    pub phase: Phase,
    /// It does not begin, because it would outlive the subscription of the account.
    pub refused: bool,
    pub started: bool,
    /// The campaign takes in this account.
    pub selected: bool,
    /// A message could not be rendered, and nobody has changed that since.
    pub faulty: bool,
    /// Messages that left on this local day.
    pub sent: u32,
    pub taken: Taken,
    pub last_pass_found: u32,
    pub enroll_at: Option<Timestamp>,
}

impl<'a> Run<'a> {
    /// A run that nothing has happened to.
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
            enroll_at: None,
        }
    }
}
