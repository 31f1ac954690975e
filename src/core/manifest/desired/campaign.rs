//! A campaign in force.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::account_selector::AccountSelector;
use super::sequence::Day;
use crate::core::domain::{Country, Gender, Language, Moment, Name, Period, Windows, Zone};

/// One campaign, ready to run: filter and schedule inlined, the sequence by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Campaign {
    #[serde(rename = "type")]
    pub kind: CampaignType,
    pub state: DesiredState,
    pub accounts: AccountSelector,
    pub filter: Filter,
    pub schedule: Schedule,
    /// Must be over for an account before this one begins there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_after: Option<Name>,
    #[serde(default)]
    pub past_subscription: PastSubscription,
    /// Lower goes first.
    pub priority: i32,
    pub sequence: Name,
    /// Days that replace those of the sequence.
    pub days: BTreeMap<u16, Day>,
    pub limits: Limits,
    pub enrollment: Enrollment,
    /// Minimum age of a registration before it is taken; zero for filtered campaigns.
    pub enroll_after: Period,
    pub consent: ConsentPolicy,
    pub exit_on_paid: bool,
    /// `None`: that of the account.
    pub channel: Option<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CampaignType {
    Default,
    Filtered,
}

/// What the team wants of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DesiredState {
    Draft,
    Active,
    Paused,
    Cancelled,
}

impl DesiredState {
    /// As manifests say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What becomes of a run that would not be done before the subscription of its account ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PastSubscription {
    /// It does not begin.
    #[default]
    Refuse,
    /// It begins, and pauses when the subscription ends.
    Pause,
}

/// Whom a campaign takes. An empty list or `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    pub countries: Vec<Country>,
    /// Registered at or after; wall times in the account's zone.
    pub registered_from: Option<Moment>,
    /// Registered before; wall times in the account's zone.
    pub registered_to: Option<Moment>,
    pub gender: Option<Gender>,
    /// Folded: lower case, no accents.
    pub professions: Vec<String>,
    /// Whole years, inclusive, on the local day. An unknown birth date matches no bound.
    pub age_min: Option<u16>,
    pub age_max: Option<u16>,
    pub subscription: Subscription,
    /// Leave out whoever is active in another run of the same account.
    pub exclude_current_targets: bool,
    /// Primary subtags count: `fr` takes `fr-CM`.
    pub languages: Vec<Language>,
    /// Exact matches on imported extra columns.
    pub attributes: BTreeMap<String, String>,
}

impl Filter {
    /// Whether people come to match, or cease to, on their birthdays.
    pub fn has_ages(&self) -> bool {
        self.age_min.is_some() || self.age_max.is_some()
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subscription {
    #[default]
    Unpaid,
    Paid,
    Any,
}

/// When messages may leave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    pub start_at: Option<Moment>,
    pub end_at: Option<Moment>,
    /// `None`: the account's.
    pub timezone: Option<Zone>,
    #[serde(flatten)]
    pub windows: Windows,
    /// From enrollment to day 1.
    pub first_after: Period,
    /// From one day to the next.
    pub every: Period,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Messages per local day of one run.
    pub messages_per_day: Option<u32>,
    /// People per run, for ever.
    pub targets: Option<u32>,
    /// People a run may take per local day.
    pub daily_enrollments: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Enrollment {
    UntilDrained,
    Once,
    Continuous,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentPolicy {
    /// Only `opted_in`.
    #[default]
    Required,
    /// Unknown consent too.
    Legacy,
}
