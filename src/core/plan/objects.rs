//! The desired state as objects by kind and name: the form in which it is compared and stored.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::core::domain::Name;
use crate::core::manifest;
use crate::core::manifest::Desired;

/// The key under which an object says that it stays without its manifest. It stands beside the spec, so that plans show
/// its changes.
pub(super) const PRUNE: &str = "prune";
pub(super) const DISABLED: &str = "disabled";

/// The kinds of objects with their own changes in a plan. Filters and schedules are part of the campaigns that use
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Defaults,
    Channel,
    Sequence,
    Queue,
    Account,
    Notifier,
    Campaign,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Defaults, Self::Channel, Self::Sequence, Self::Queue, Self::Account, Self::Notifier, Self::Campaign];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Defaults => "Defaults",
            Self::Channel => "Channel",
            Self::Sequence => "Sequence",
            Self::Queue => "Queue",
            Self::Account => "Account",
            Self::Notifier => "Notifier",
            Self::Campaign => "Campaign",
        }
    }

    /// Returns the kind of planned object for a kind of manifest.
    pub const fn of(kind: manifest::Kind) -> Option<Self> {
        match kind {
            manifest::Kind::Defaults => Some(Self::Defaults),
            manifest::Kind::Channel => Some(Self::Channel),
            manifest::Kind::Sequence => Some(Self::Sequence),
            manifest::Kind::Queue => Some(Self::Queue),
            manifest::Kind::Account => Some(Self::Account),
            manifest::Kind::Notifier => Some(Self::Notifier),
            manifest::Kind::Campaign => Some(Self::Campaign),
            manifest::Kind::Filter | manifest::Kind::Schedule | manifest::Kind::CampaignTest => None,
        }
    }

    /// Returns the kind of manifest for a kind of planned object.
    pub const fn manifest(self) -> manifest::Kind {
        match self {
            Self::Defaults => manifest::Kind::Defaults,
            Self::Channel => manifest::Kind::Channel,
            Self::Sequence => manifest::Kind::Sequence,
            Self::Queue => manifest::Kind::Queue,
            Self::Account => manifest::Kind::Account,
            Self::Notifier => manifest::Kind::Notifier,
            Self::Campaign => manifest::Kind::Campaign,
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Objects as JSON.
pub type Objects = BTreeMap<(Kind, Name), Value>;

impl Desired {
    /// Returns this state as objects. There is always one `Defaults`, under the name `defaults`.
    /// Unusable objects are as they are stored.
    pub fn to_objects(&self) -> Objects {
        let mut objects = Objects::from([((Kind::Defaults, defaults_name()), body(&self.defaults))]);
        objects.extend(of_kind(Kind::Campaign, &self.campaigns));
        objects.extend(of_kind(Kind::Sequence, &self.sequences));
        objects.extend(of_kind(Kind::Channel, &self.channels));
        objects.extend(of_kind(Kind::Queue, &self.queues));
        objects.extend(of_kind(Kind::Account, &self.accounts));
        objects.extend(of_kind(Kind::Notifier, &self.notifiers));
        for (kind, name) in &self.protected {
            let object = Kind::of(*kind).and_then(|kind| objects.get_mut(&(kind, name.clone())));
            if let Some(Value::Object(body)) = object {
                body.insert(PRUNE.to_owned(), DISABLED.into());
            }
        }
        // They stay as they are stored, so a plan never changes or removes them.
        let unusable = self
            .unusable
            .iter()
            .filter_map(|((kind, name), unusable)| Some(((Kind::of(*kind)?, name.clone()), unusable.stored.clone())));
        objects.extend(unusable);
        objects
    }
}

fn of_kind<T: Serialize>(kind: Kind, named: &BTreeMap<Name, T>) -> impl Iterator<Item = ((Kind, Name), Value)> {
    named.iter().map(move |(name, object)| ((kind, name.clone()), body(object)))
}

fn body<T: Serialize>(object: &T) -> Value {
    serde_json::to_value(object).expect("the desired state has string keys only")
}

fn defaults_name() -> Name {
    Name::parse("defaults").expect("`defaults` is a name")
}
