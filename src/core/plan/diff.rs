//! The differences between two states, object by object and field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::forecast::Endless;
use super::objects::{Kind, Objects};
use crate::core::domain::{Name, Timestamp, hex};

/// The changes in display order: destructive ones first, then by kind and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    pub changes: Vec<Change>,
    /// The campaigns whose end moves by this plan; filled in by callers with a forecast.
    pub slips: Vec<Slip>,
    /// The runs that would outlive their account's subscription; filled in by callers with a forecast.
    pub outlives: Vec<Outlives>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub action: Action,
    pub kind: Kind,
    pub name: Name,
    /// The name in force, if the plan renames the object.
    pub from: Option<Name>,
    pub fields: Vec<Field>,
    /// The effect on people; filled in by callers that can count them.
    pub effect: Option<Effect>,
    /// The object after the change; `None` if the change deletes it.
    pub after: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A campaign ends, because its manifest is gone or cancels it.
    Cancel,
    /// An object other than a campaign is deleted.
    Delete,
    Pause,
    Resume,
    /// A campaign gets another name; its runs continue.
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
}

/// A value that changes; `None` means absent before, or after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The keys joined by dots, as in `limits.messagesPerDay`.
    pub path: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// The effect of a change on people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// The accounts that the object applies to.
    pub accounts: u64,
    /// The people who would be enrolled now.
    pub enroll: u64,
    /// The active people who would leave.
    pub exit: u64,
    /// The people for whom the sequence ends now, because their remaining days are taken away.
    pub complete: u64,
    /// The people who wait for a message that becomes due at another time.
    pub due_again: u64,
    /// The people who will read a text again, because a day before it was put in.
    pub read_again: u64,
    /// The runs under way for which a later `startAt` changes nothing.
    pub begun: u64,
    /// The runs that are over, which the change does not reach.
    pub over: u64,
    /// The most messages on one local day, over all accounts; `None` if the runs do not run.
    pub messages_per_day: Option<u64>,
    /// The end of the last run that ends.
    pub finish_at: Option<Timestamp>,
    /// The number of runs without an end, by the reason.
    pub never: BTreeMap<Endless, u64>,
}

/// A campaign with runs that end at least a day earlier or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slip {
    pub campaign: Name,
    /// The accounts of these runs.
    pub accounts: u64,
    /// The earlier end of the last of these runs; null if it never ended.
    pub before: Option<Timestamp>,
    pub after: Option<Timestamp>,
}

/// A run that is not done when its account's subscription ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outlives {
    pub campaign: Name,
    pub account: String,
    pub subscription_ends_at: Timestamp,
    /// The end of the run; null if it is not foreseeable.
    pub finish_at: Option<Timestamp>,
    /// True if the run does not start for this reason; otherwise it will pause.
    pub refused: bool,
}

impl Plan {
    /// Returns the plan's digest, which is equal for equal changes from equal values.
    ///
    /// It does not depend on earlier plans.
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

    /// Returns the number of changes for each action.
    pub fn summary(&self) -> BTreeMap<&'static str, usize> {
        let mut summary: BTreeMap<_, _> = Action::ALL.iter().map(|action| (action.as_str(), 0)).collect();
        for change in &self.changes {
            *summary.entry(change.action.as_str()).or_default() += 1;
        }
        summary
    }
}

/// Compares `desired` with the objects `in_force`.
///
/// Renamed campaigns have their new names in `in_force`; `renames` maps them to the old ones.
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
            // A created or deleted object is one change without a list of fields.
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
    fn equal_states_give_an_empty_plan() {
        let same = objects(&[(Kind::Campaign, "a", json!({"state": "active"}))]);
        assert!(plan(&same, &same, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn a_plan_names_changed_fields_and_lists_destructive_changes_first() {
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
