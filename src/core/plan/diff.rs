//! The differences, object by object and field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::forecast::Endless;
use super::objects::{Kind, Objects};
use crate::core::domain::{Name, Timestamp, hex};

/// Changes in the order in which they are shown: destructive ones first, then by kind and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    pub changes: Vec<Change>,
    /// Campaigns that end at another time because of it; filled in by whoever can look ahead.
    pub slips: Vec<Slip>,
    /// Runs that would outlive the subscription of their account; filled in by whoever can look ahead.
    pub outlives: Vec<Outlives>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub action: Action,
    pub kind: Kind,
    pub name: Name,
    /// The name it has in force, when it is renamed.
    pub from: Option<Name>,
    pub fields: Vec<Field>,
    /// What it means for people; filled in by whoever can count them.
    pub effect: Option<Effect>,
    /// The object as it will be; `None` when it goes.
    pub after: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A campaign ends: its manifest is gone or says so.
    Cancel,
    /// Anything but a campaign goes.
    Delete,
    Pause,
    Resume,
    /// A campaign has another name; its runs go on.
    Rename,
    Update,
    Create,
}

impl Action {
    pub const ALL: [Self; 7] =
        [Self::Cancel, Self::Delete, Self::Pause, Self::Resume, Self::Rename, Self::Update, Self::Create];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Delete => "delete",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Rename => "rename",
            Self::Update => "update",
            Self::Create => "create",
        }
    }

    /// That it was done.
    pub const fn done(self) -> &'static str {
        match self {
            Self::Cancel => "cancelled",
            Self::Delete => "deleted",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Rename => "renamed",
            Self::Update => "updated",
            Self::Create => "created",
        }
    }
}

/// One value that changes. `None`: it was not there, or will not be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Keys joined by dots, as in `limits.messagesPerDay`.
    pub path: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What a change means for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Accounts it runs for, or speaks of.
    pub accounts: u64,
    /// People who would be enrolled now.
    pub enroll: u64,
    /// Active people who would leave.
    pub exit: u64,
    /// The most messages that leave on one local day, over all its accounts; `None` when its runs do not run.
    pub messages_per_day: Option<u64>,
    /// When the last of its runs ends that do.
    pub finish_at: Option<Timestamp>,
    /// How many of its runs do not end, by what keeps them from it.
    pub never: BTreeMap<Endless, u64>,
}

/// A campaign some of whose runs end at least a day earlier or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slip {
    pub campaign: Name,
    /// How many of its runs do.
    pub accounts: u64,
    /// When the last of them would have ended; null when never.
    pub before: Option<Timestamp>,
    pub after: Option<Timestamp>,
}

/// A run of a filtered campaign that is not done when the subscription of its account ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outlives {
    pub campaign: Name,
    pub account: String,
    pub subscription_ends_at: Timestamp,
    /// When it would be done; null when the end cannot be seen.
    pub finish_at: Option<Timestamp>,
    /// Whether it does not begin because of it; otherwise it will pause.
    pub refused: bool,
}

impl Plan {
    /// Names this plan: equal for equal changes from equal values, whatever else was planned before.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for change in &self.changes {
            let after = change.after.as_ref().map(Value::to_string).unwrap_or_default();
            let before: Value = change.fields.iter().map(|field| field.before.clone()).collect();
            let before = before.to_string();
            let (action, kind, name) = (change.action.as_str(), change.kind.as_str(), change.name.as_str());
            for part in [action, kind, name, change.from.as_ref().map_or("", Name::as_str), &before, &after] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hex(&hash.finalize()[..8])
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes there are of each action.
    pub fn summary(&self) -> BTreeMap<&'static str, usize> {
        let mut summary: BTreeMap<_, _> = Action::ALL.iter().map(|action| (action.as_str(), 0)).collect();
        for change in &self.changes {
            *summary.entry(change.action.as_str()).or_default() += 1;
        }
        summary
    }
}

/// Compares `desired` with what is `in_force`, where campaigns that are renamed have their new names already: `renames`
/// gives their old ones.
pub fn plan(desired: &Objects, in_force: &Objects, renames: &BTreeMap<Name, Name>) -> Plan {
    let keys: BTreeSet<_> = desired.keys().chain(in_force.keys()).collect();
    let mut changes: Vec<Change> = keys
        .into_iter()
        .filter_map(|key @ (kind, name)| {
            let (before, after) = (in_force.get(key), desired.get(key));
            let from = renames.get(name).filter(|_| *kind == Kind::Campaign).cloned();
            if before == after && from.is_none() {
                return None;
            }
            let mut fields = Vec::new();
            // A new or gone object is not a list of fields, but one thing that comes or goes.
            if let (Some(before), Some(after)) = (before, after) {
                compare("", Some(before), Some(after), &mut fields);
            }
            let action = match action(*kind, before, after) {
                Action::Cancel => Action::Cancel,
                _ if from.is_some() => Action::Rename,
                other => other,
            };
            let (name, after) = (name.clone(), after.cloned());
            Some(Change { action, kind: *kind, name, from, fields, effect: None, after })
        })
        .collect();
    changes.sort_by(|a, b| (a.action, a.kind, &a.name).cmp(&(b.action, b.kind, &b.name)));
    Plan { changes, ..Plan::default() }
}

fn action(kind: Kind, before: Option<&Value>, after: Option<&Value>) -> Action {
    let state = |object: Option<&Value>| object.and_then(|o| o.get("state")).and_then(Value::as_str).map(str::to_owned);
    let (was, will) = (state(before), state(after));
    match (before, after, kind) {
        (None, _, _) => Action::Create,
        (_, None, Kind::Campaign) => Action::Cancel,
        (_, None, Kind::Defaults | Kind::Channel | Kind::Sequence | Kind::Queue | Kind::Account | Kind::Notifier) => {
            Action::Delete
        }
        _ if was == will => Action::Update,
        _ => match will.as_deref() {
            Some("cancelled") => Action::Cancel,
            Some("paused") => Action::Pause,
            Some("active") if was.as_deref() == Some("paused") => Action::Resume,
            _ => Action::Update,
        },
    }
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, fields: &mut Vec<Field>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(was)), Some(Value::Object(will))) => {
            let keys: BTreeSet<_> = was.keys().chain(will.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&path, was.get(key), will.get(key), fields);
            }
        }
        (before, after) => fields.push(Field { path: path.to_owned(), before: before.cloned(), after: after.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{Action, plan};
    use crate::core::domain::Name;
    use crate::core::plan::{Kind, Objects};

    fn objects(list: &[(Kind, &str, Value)]) -> Objects {
        list.iter().map(|(kind, name, body)| ((*kind, Name::parse(name).unwrap()), body.clone())).collect()
    }

    #[test]
    fn nothing_to_do_is_an_empty_plan() {
        let same = objects(&[(Kind::Campaign, "a", json!({"state": "active"}))]);
        assert!(plan(&same, &same, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn changes_name_their_fields_and_the_destructive_come_first() {
        let before = objects(&[
            (Kind::Campaign, "gone", json!({"state": "active"})),
            (Kind::Campaign, "edited", json!({"state": "active", "limits": {"targets": null}, "priority": 1})),
            (Kind::Campaign, "halted", json!({"state": "active"})),
            (Kind::Sequence, "old", json!({})),
        ]);
        let after = objects(&[
            (Kind::Campaign, "edited", json!({"state": "active", "limits": {"targets": 5}, "priority": 1})),
            (Kind::Campaign, "halted", json!({"state": "paused"})),
            (Kind::Campaign, "new", json!({"state": "active"})),
        ]);
        let plan = plan(&after, &before, &BTreeMap::new());
        let actions: Vec<_> = plan.changes.iter().map(|c| (c.action, c.name.as_str())).collect();
        assert_eq!(
            actions,
            [
                (Action::Cancel, "gone"),
                (Action::Delete, "old"),
                (Action::Pause, "halted"),
                (Action::Update, "edited"),
                (Action::Create, "new"),
            ]
        );
        let edited = &plan.changes[3].fields;
        assert_eq!(edited.len(), 1);
        assert_eq!((edited[0].path.as_str(), &edited[0].after), ("limits.targets", &Some(json!(5))));
        assert_ne!(plan.digest(), super::plan(&before, &after, &BTreeMap::new()).digest());
        assert_eq!(plan.digest(), super::plan(&after, &before, &BTreeMap::new()).digest());
    }
}
