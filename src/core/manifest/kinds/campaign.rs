//! The schema of `kind: Campaign`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::filter::FilterSpec;
use super::schedule::ScheduleSpec;
use super::sequence::DaySpec;
use crate::core::domain::{Name, Period};
use crate::core::manifest::desired::{
    AccountSelector, CampaignType, ConsentPolicy, DesiredState, Enrollment, PastSubscription,
};

/// A campaign: its people, schedule, messages and limits. It runs once per account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct CampaignSpec {
    /// `default` takes every unpaid referral of every account automatically. `filtered` takes the people that its
    /// filter matches. Meanwhile the default campaign of the account pauses, unless `allowSimultaneousCampaigns` is
    /// true.
    #[serde(rename = "type")]
    pub(in crate::core::manifest) kind: CampaignType,
    /// The desired state; `active` by default.
    pub(in crate::core::manifest) state: Option<DesiredState>,
    /// The accounts: `all`, a list of account names, or labels that an account must have; `all` by default.
    pub(in crate::core::manifest) accounts: Option<AccountSelector>,
    /// The conditions that people must meet.
    pub(in crate::core::manifest) filter: Option<FilterSpec>,
    /// The name of a `Filter` manifest, instead of `filter`.
    pub(in crate::core::manifest) filter_ref: Option<Name>,
    /// The times at which messages may leave. Keys left out come from `Defaults`.
    pub(in crate::core::manifest) schedule: Option<ScheduleSpec>,
    /// The name of a `Schedule` manifest, instead of `schedule`.
    pub(in crate::core::manifest) schedule_ref: Option<Name>,
    /// The name of a campaign that must be completed for an account before this one starts there.
    pub(in crate::core::manifest) run_after: Option<Name>,
    /// The priority when quota is scarce: the lower number goes first; 100 by default.
    #[schemars(range(min = -2_147_483_648, max = 2_147_483_647))]
    pub(in crate::core::manifest) priority: Option<i32>,
    /// The name of a `Sequence` manifest; by default the one that `Defaults` names.
    pub(in crate::core::manifest) sequence_ref: Option<Name>,
    /// Days that replace days of the sequence. Without a sequence, they are the whole sequence.
    pub(in crate::core::manifest) days: Option<Vec<DaySpec>>,
    /// The limits of one run, so they apply to each account separately.
    pub(in crate::core::manifest) limits: Option<LimitsSpec>,
    /// `untilDrained` enrolls until no matching person is left; it is the default of filtered campaigns. `once` makes
    /// one pass. `continuous` enrolls until `endAt`; it is the default of default campaigns.
    pub(in crate::core::manifest) enrollment: Option<Enrollment>,
    /// The minimum age of a registration before enrollment. Default campaigns take the value of `Defaults`, else 1h;
    /// filtered campaigns take 0s.
    pub(in crate::core::manifest) enroll_after: Option<Period>,
    /// The consent that people must have given; by default that of `Defaults`, else `required`.
    pub(in crate::core::manifest) consent: Option<ConsentPolicy>,
    /// `true` ends the sequence of people as soon as they pay. The default is true, unless `filter.subscription` is
    /// `paid` or `any`.
    pub(in crate::core::manifest) exit_on_paid: Option<bool>,
    /// The policy when a run would not complete before the subscription of its account ends. `refuse` does not start
    /// the run; it is the default for campaigns that complete. `pause` starts the run, pauses it when the subscription
    /// ends and resumes it on renewal. `pause` is the default for default campaigns and for `continuous` enrollment.
    pub(in crate::core::manifest) past_subscription: Option<PastSubscription>,
    /// The name of a `Channel` manifest. The default is the channel of the account, else that of `Defaults`, else the
    /// built-in sandbox.
    pub(in crate::core::manifest) channel_ref: Option<Name>,
}

/// Limits of a campaign. Keys left out come from `Defaults`, except `messagesPerDay`. Without a value they are
/// unlimited.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct LimitsSpec {
    /// The maximum number of messages per local day.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::core::manifest) messages_per_day: Option<u32>,
    /// The maximum number of people in total.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::core::manifest) targets: Option<u32>,
    /// The maximum number of new people per local day.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::core::manifest) daily_enrollments: Option<u32>,
}
