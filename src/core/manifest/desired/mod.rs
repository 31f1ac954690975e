//! The desired state: the manifests with every reference and default resolved. It is the input of the planner.
//!
//! Values are complete and valid; no `Option` means "use the default". Two trees with the same meaning give the same
//! `Desired`, so explicit defaults and moved files make no difference. The database stores it for the last accepted
//! revision, as JSON, one object per kind and name.

mod account_selector;
pub(super) mod address;
mod answers;
mod campaign;
pub(super) mod channel;
pub(super) mod channel_limits;
mod http_request;
pub(super) mod language;
mod notifier;
mod pacing;
pub mod policy;
mod safety;
mod secret;
mod sequence;
mod unusable;
mod whatsapp_template;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::account_selector::AccountSelector;
pub use self::address::is_near_or_tls;
pub use self::answers::{AnswerRule, Meaning, Success, Values};
pub use self::campaign::{
    Campaign, CampaignType, ConsentPolicy, DesiredState, Enrollment, Filter, Limits, PastSubscription, Schedule,
    Subscription, ZoneOf,
};
pub use self::channel::{
    BasicAuth, Channel, ContentType, Encryption, Http, HttpMethod, PhoneFormat, Smtp, UnsubscribeValues, WhatsappCloud,
};
pub use self::channel_limits::Takes;
pub use self::http_request::{MediumValues, RequestValues};
pub use self::notifier::{Notifier, NotifierType, Topic};
pub use self::pacing::{Pacing, Wave};
use self::policy::{Account, AccountPolicy, Policies};
pub use self::safety::Safety;
pub use self::secret::{MaybeSecret, Secret};
pub use self::sequence::{Day, Media, MediaAt, MediaType, Part, Sequence};
pub use self::unusable::{Defect, Unusable};
pub use self::whatsapp_template::{
    Button, ButtonType, Header, MAX_BODY, MAX_HEADER, Misfit, Parameters, Slot, TemplateMessage, WhatsappTemplate,
    is_blank, is_template_language, one_line, template_languages,
};
use super::kind::Kind;
use crate::core::domain::Name;

/// The desired state of a whole tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    pub campaigns: BTreeMap<Name, Campaign>,
    pub sequences: BTreeMap<Name, Sequence>,
    pub channels: BTreeMap<Name, Channel>,
    pub queues: BTreeMap<Name, Queue>,
    /// The policy of accounts for which no manifest sets anything else.
    pub defaults: AccountPolicy,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<Name, Account>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notifiers: BTreeMap<Name, Notifier>,
    /// Resources that stay in force when their manifest is removed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub protected: BTreeSet<(Kind, Name)>,
    /// Resources whose stored version cannot be used. They are in none of the maps above.
    #[serde(skip)]
    pub unusable: BTreeMap<(Kind, Name), Unusable>,
}

impl Desired {
    /// Returns the named resources. Filters and schedules are part of the campaigns that use them.
    pub fn keys(&self) -> impl Iterator<Item = (Kind, Name)> {
        of_kind(Kind::Campaign, &self.campaigns)
            .chain(of_kind(Kind::Sequence, &self.sequences))
            .chain(of_kind(Kind::Channel, &self.channels))
            .chain(of_kind(Kind::Queue, &self.queues))
            .chain(of_kind(Kind::Account, &self.accounts))
            .chain(of_kind(Kind::Notifier, &self.notifiers))
    }

    /// Returns the policies of accounts.
    pub fn policies(&self) -> Policies {
        let policies = Policies::new(&self.defaults, &self.accounts);
        let unknown = self.unusable.iter().filter_map(|((kind, _), unusable)| match kind {
            Kind::Defaults => Some(AccountSelector::All),
            Kind::Account => Some(unusable.accounts()),
            Kind::Campaign
            | Kind::Filter
            | Kind::Schedule
            | Kind::Sequence
            | Kind::Channel
            | Kind::Queue
            | Kind::Notifier
            | Kind::CampaignTest => None,
        });
        policies.stopping(unknown.collect())
    }

    /// Takes a resource out of use, because what is stored of it cannot be used after all.
    pub fn retire(&mut self, (kind, name): (Kind, Name), unusable: Unusable) {
        match kind {
            Kind::Campaign => drop(self.campaigns.remove(&name)),
            Kind::Sequence => drop(self.sequences.remove(&name)),
            Kind::Channel => drop(self.channels.remove(&name)),
            Kind::Queue => drop(self.queues.remove(&name)),
            Kind::Account => drop(self.accounts.remove(&name)),
            Kind::Notifier => drop(self.notifiers.remove(&name)),
            Kind::Defaults | Kind::Filter | Kind::Schedule | Kind::CampaignTest => {}
        }
        self.unusable.insert((kind, name), unusable);
    }

    /// Returns true if the resource exists. `Defaults` always exist.
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

/// Campaigns that run in order for each account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    pub campaigns: Vec<Name>,
    /// The maximum number of unfinished campaigns at once for one account.
    pub parallelism: u32,
}
