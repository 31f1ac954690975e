//! `kind: Campaign` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::filter::FilterSpec;
use super::schedule::ScheduleSpec;
use super::sequence::DaySpec;
use crate::core::domain::{Name, Period};
use crate::core::manifest::desired::{
    AccountSelector, CampaignType, ConsentPolicy, DesiredState, Enrollment, PastSubscription,
};

/// A campaign: whom to write to, when, what, and how much. For each account it becomes one run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct CampaignSpec {
    /// `default`: takes every unpaid referral of every account by itself. `filtered`: takes whom its filter
    /// matches, and pauses the default campaign of the account meanwhile.
    #[serde(rename = "type")]
    pub(in crate::core::manifest) kind: CampaignType,
    /// What the team wants; `active` when left out.
    pub(in crate::core::manifest) state: Option<DesiredState>,
    /// `all`, a list of account names, or labels that accounts must have; `all` when left out.
    pub(in crate::core::manifest) accounts: Option<AccountSelector>,
    /// Whom to take.
    pub(in crate::core::manifest) filter: Option<FilterSpec>,
    /// The name of a `Filter` manifest.
    pub(in crate::core::manifest) filter_ref: Option<Name>,
    /// When messages may leave. What is left out comes from `Defaults`.
    pub(in crate::core::manifest) schedule: Option<ScheduleSpec>,
    /// The name of a `Schedule` manifest.
    pub(in crate::core::manifest) schedule_ref: Option<Name>,
    /// The name of a campaign that must be over for an account before this one begins there.
    pub(in crate::core::manifest) run_after: Option<Name>,
    /// Lower goes first when quota is scarce; 100 when left out.
    #[schemars(range(min = -2_147_483_648, max = 2_147_483_647))]
    pub(in crate::core::manifest) priority: Option<i32>,
    /// The name of a `Sequence` manifest; that of `Defaults` when left out.
    pub(in crate::core::manifest) sequence_ref: Option<Name>,
    /// Days that replace those of the sequence. Without any sequence: the whole sequence.
    pub(in crate::core::manifest) days: Option<Vec<DaySpec>>,
    /// Limits of one run, that is, for each account.
    pub(in crate::core::manifest) limits: Option<LimitsSpec>,
    /// `untilDrained`: until nobody is left (filtered campaigns). `once`: one pass. `continuous`: until `endAt`
    /// (default campaigns).
    pub(in crate::core::manifest) enrollment: Option<Enrollment>,
    /// Minimum age of a registration; 1h for default campaigns unless `Defaults` says otherwise, else 0s.
    pub(in crate::core::manifest) enroll_after: Option<Period>,
    /// Whom to take by consent; that of `Defaults` when left out.
    pub(in crate::core::manifest) consent: Option<ConsentPolicy>,
    /// Whether people who pay leave at once; true unless the filter asks for paid people.
    pub(in crate::core::manifest) exit_on_paid: Option<bool>,
    /// What becomes of it where it would not be done before the subscription of the account ends. `refuse`: it does
    /// not begin there; usual where a campaign comes to an end. `pause`: it begins, pauses when the subscription ends,
    /// and goes on when it is renewed; usual where enrollment is `continuous`.
    pub(in crate::core::manifest) past_subscription: Option<PastSubscription>,
    /// The name of a `Channel` manifest. When left out: that of the account, else that of `Defaults`, else the built-in
    /// sandbox.
    pub(in crate::core::manifest) channel_ref: Option<Name>,
}

/// How much may happen. What is left out comes from `Defaults`, else it is not limited.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct LimitsSpec {
    /// Messages per local day.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::core::manifest) messages_per_day: Option<u32>,
    /// People in all.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::core::manifest) targets: Option<u32>,
    /// New people per local day.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::core::manifest) daily_enrollments: Option<u32>,
}
