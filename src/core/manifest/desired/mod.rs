//! What the manifests ask for once every reference and default is resolved: the input of the planner.
//!
//! Values here are complete and valid; there is no `Option` for "use the default". Two trees that mean the
//! same thing give the same `Desired`, so explicit defaults and moved files make no difference. It is also
//! what the database remembers of the last accepted revision, as JSON, one object per kind and name.

pub(super) mod channel;
pub(super) mod channel_limits;
pub(super) mod language;
pub mod policy;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::desired::policy::{Account, AccountPolicy, Policies};
use super::kind::Kind;
pub use super::kinds::channel::{
    BasicAuth, Channel, ContentType, Encryption, Http, HttpMethod, MediumValues, PhoneFormat, RequestValues, Smtp,
    Takes, UnsubscribeValues, WhatsappCloud, is_near_or_tls,
};
pub use super::kinds::notifier::{Notifier, NotifierType, Topic};
pub use super::kinds::safety::Safety;
pub use super::kinds::secret::{MaybeSecret, Secret};
use crate::core::domain::{Country, Gender, Language, Moment, Name, Period, Windows, Zone};

/// Everything the files ask for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    pub campaigns: BTreeMap<Name, Campaign>,
    pub sequences: BTreeMap<Name, Sequence>,
    pub channels: BTreeMap<Name, Channel>,
    pub queues: BTreeMap<Name, Queue>,
    /// What holds for accounts of which no manifest says anything else.
    pub defaults: AccountPolicy,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<Name, Account>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notifiers: BTreeMap<Name, Notifier>,
    /// What stays in force when its manifest is gone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub protected: BTreeSet<(Kind, Name)>,
}

impl Desired {
    /// What it has by name; filters and schedules are part of the campaigns that use them.
    pub fn keys(&self) -> impl Iterator<Item = (Kind, Name)> {
        of_kind(Kind::Campaign, &self.campaigns)
            .chain(of_kind(Kind::Sequence, &self.sequences))
            .chain(of_kind(Kind::Channel, &self.channels))
            .chain(of_kind(Kind::Queue, &self.queues))
            .chain(of_kind(Kind::Account, &self.accounts))
            .chain(of_kind(Kind::Notifier, &self.notifiers))
    }

    /// What holds for each account.
    pub fn policies(&self) -> Policies {
        Policies::new(&self.defaults, &self.accounts)
    }

    /// Whether it has this by name; there is always a policy for accounts.
    pub fn has(&self, kind: Kind, name: &Name) -> bool {
        match kind {
            Kind::Campaign => self.campaigns.contains_key(name),
            Kind::Sequence => self.sequences.contains_key(name),
            Kind::Channel => self.channels.contains_key(name),
            Kind::Queue => self.queues.contains_key(name),
            Kind::Account => self.accounts.contains_key(name),
            Kind::Notifier => self.notifiers.contains_key(name),
            Kind::Defaults => true,
            Kind::Filter | Kind::Schedule | Kind::CampaignTest => false,
        }
    }
}

fn of_kind<T>(kind: Kind, named: &BTreeMap<Name, T>) -> impl Iterator<Item = (Kind, Name)> {
    named.keys().map(move |name| (kind, name.clone()))
}

/// Campaigns that run one after the other for each account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    pub campaigns: Vec<Name>,
    /// How many of them may be unfinished at once for one account.
    pub parallelism: u32,
}

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

/// Which accounts a campaign runs for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccountSelector {
    All,
    /// External ids.
    Names(Vec<String>),
    /// Exact matches on imported extra columns.
    MatchLabels(BTreeMap<String, String>),
}

impl AccountSelector {
    /// The same, however its names were ordered or repeated.
    #[must_use]
    pub(super) fn in_order(self) -> Self {
        match self {
            Self::Names(mut names) => {
                names.sort_unstable();
                names.dedup();
                Self::Names(names)
            }
            other => other,
        }
    }

    /// The extra columns it goes by, if it does.
    pub fn labels(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::MatchLabels(labels) => Some(labels),
            Self::All | Self::Names(_) => None,
        }
    }

    /// Whether it takes in the account with this id and these extra columns.
    pub fn selects(&self, id: &str, columns: &serde_json::Value) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.iter().any(|name| name == id),
            Self::MatchLabels(labels) => {
                labels.iter().all(|(key, value)| columns.get(key).and_then(serde_json::Value::as_str) == Some(value))
            }
        }
    }
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

/// The day templates of a campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sequence {
    /// From day 1, without gaps.
    pub days: BTreeMap<u16, Day>,
    pub fallback_language: Language,
}

/// What goes out on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    pub text: BTreeMap<Language, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subject: BTreeMap<Language, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whatsapp_template: Option<WhatsappTemplate>,
    /// From the day before (day 1: from enrollment) to this one; `None`: the schedule's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Period>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    #[serde(rename = "type")]
    pub kind: MediaType,
    #[serde(flatten)]
    pub at: MediaAt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
}

/// Where a medium is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaAt {
    /// Where it can be fetched from.
    Url(String),
    /// With the provider, who calls it so.
    Id(String),
}

impl MediaAt {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Url(text) | Self::Id(text) => text,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaType {
    Image,
    Video,
    Document,
    Audio,
}

impl MediaType {
    /// As manifests say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Document => "document",
            Self::Audio => "audio",
        }
    }
}

/// A template of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(Language),
    Subject(Language),
    /// Of the media with this index.
    Caption(usize),
    /// Of the template for WhatsApp, with this index.
    Parameter(usize),
    /// Of the template for WhatsApp.
    Header,
    /// Of the template for WhatsApp, at this place in the list.
    Button(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsappTemplate {
    pub name: String,
    pub language: Language,
    /// The value of the placeholder of a header that is a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

/// What a button of a template is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Its place in the template, from 0.
    pub index: u8,
    #[serde(rename = "type")]
    pub kind: ButtonType,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ButtonType {
    /// Comes back when it is pressed.
    QuickReply,
    /// The end of the address.
    Url,
    /// The code to copy.
    CopyCode,
}

/// How one account spaces its messages. `every: 0s` turns pacing off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pacing {
    pub every: Period,
    /// Up to this much is added to each interval.
    pub jitter: Period,
    /// Each wave in turn, then the first again; empty: `every` for ever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
}

impl Pacing {
    /// Whether messages may leave as fast as quotas allow.
    pub fn is_off(&self) -> bool {
        self.every.is_zero() && self.jitter.is_zero() && self.waves.is_empty()
    }

    /// The longest time that may pass between two messages.
    pub fn longest(&self) -> Period {
        let waves = self.waves.iter().map(|wave| wave.every.max(wave.pause_after));
        let longest = waves.max().unwrap_or(self.every);
        Period::seconds(longest.as_seconds() + self.jitter.as_seconds())
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self { every: Period::minutes(2), jitter: Period::seconds(30), waves: Vec::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    pub messages: u32,
    pub every: Period,
    pub pause_after: Period,
}
