//! Campaigns in force.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::account_selector::AccountSelector;
use super::sequence::Day;
use crate::core::domain::{Country, Gender, Language, Moment, Name, Period, Windows, Zone};

/// One campaign, ready to run: filter and schedule are inlined, the sequence is referenced by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Campaign {
    #[serde(rename = "type")]
    pub kind: CampaignType,
    pub state: DesiredState,
    pub accounts: AccountSelector,
    pub filter: Filter,
    pub schedule: Schedule,
    /// The campaign that must be completed for an account before this one starts there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_after: Option<Name>,
    #[serde(default)]
    pub past_subscription: PastSubscription,
    /// The lower number goes first.
    pub priority: i32,
    pub sequence: Name,
    /// Days that replace days of the sequence.
    pub days: BTreeMap<u16, Day>,
    pub limits: Limits,
    pub enrollment: Enrollment,
    /// The minimum age of a registration before enrollment; zero by default for filtered campaigns.
    pub enroll_after: Period,
    pub consent: ConsentPolicy,
    pub exit_on_paid: bool,
    /// `None` means the channel of the account.
    pub channel: Option<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CampaignType {
    Default,
    Filtered,
}

/// The state that a manifest asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DesiredState {
    Draft,
    Active,
    Paused,
    Cancelled,
}

impl DesiredState {
    /// Returns the word that manifests use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The policy for a run that would not complete before the subscription of its account ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PastSubscription {
    /// The run does not start.
    #[default]
    Refuse,
    /// The run starts, and pauses when the subscription ends.
    Pause,
}

/// The conditions that people must meet. An empty list or `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    pub countries: Vec<Country>,
    /// The earliest registration, included; wall times are in the zone of the account.
    pub registered_from: Option<Moment>,
    /// The latest registration, excluded; wall times are in the zone of the account.
    pub registered_to: Option<Moment>,
    pub gender: Option<Gender>,
    /// Professions in folded form: lower case, no accents.
    pub professions: Vec<String>,
    /// The age in whole years, inclusive, on the local day. An unknown birth date matches no bound.
    pub age_min: Option<u16>,
    pub age_max: Option<u16>,
    pub subscription: Subscription,
    /// Leaves out people who are active in another run of the same account.
    pub exclude_current_targets: bool,
    /// Languages, compared by primary subtag: `fr` matches `fr-CM`.
    pub languages: Vec<Language>,
    /// Exact values of extra columns of the import.
    pub attributes: BTreeMap<String, String>,
}

impl Filter {
    /// Returns true if the filter depends on age, so that a birthday can change its result.
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

/// The times at which messages may leave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    pub start_at: Option<Moment>,
    pub end_at: Option<Moment>,
    /// `None` means the zone of the account.
    pub timezone: Option<Zone>,
    /// The owner of the local time that windows and whole days use.
    #[serde(default, skip_serializing_if = "ZoneOf::is_account")]
    pub zone: ZoneOf,
    #[serde(flatten)]
    pub windows: Windows,
    /// The time from enrollment to day 1.
    pub first_after: Period,
    /// The time from one day to the next.
    pub every: Period,
}

/// The owner of the local time of a schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneOf {
    /// `timezone` of the schedule, else the zone of the account.
    #[default]
    Account,
    /// The zone of each person, as far as it is known.
    Recipient,
}

impl ZoneOf {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn is_account(&self) -> bool {
        *self == Self::Account
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Messages of one run per local day.
    pub messages_per_day: Option<u32>,
    /// People of one run in total.
    pub targets: Option<u32>,
    /// New people of one run per local day.
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
    /// Takes only people with consent `opted_in`.
    #[default]
    Required,
    /// Also takes people whose consent is unknown.
    Legacy,
}
