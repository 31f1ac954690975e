//! The desired state of a tree with errors: broken objects keep their version in force, and the rest changes.
//!
//! A frozen object may need another that the tree removes, or contradict one that the tree adds. That other object is
//! frozen too, until everything fits together. This ends, because the complete state in force fits together.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::core::domain::Name;
use crate::core::lifecycle::detail::Detail;
use crate::core::manifest::desired::Unusable;
use crate::core::manifest::{Checked, Desired, Kind};

/// The state to plan for, and the objects that keep their version in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Freeze {
    pub desired: Desired,
    /// The frozen manifests by kind and name.
    pub frozen: Vec<Frozen>,
    pub kept: Vec<Kept>,
}

/// A manifest that does not take effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frozen {
    pub kind: Kind,
    pub name: Name,
    /// True if the last good version stays in force; false if there is none, so the object is not created.
    pub in_force: bool,
    /// True if the stored form of this object, or of one that it needs, cannot be used. This object stays as it is
    /// stored and does not run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unusable: bool,
    /// The reasons as sentences; errors include their place.
    pub why: Vec<String>,
}

/// An object that stays in force although its manifest is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    pub kind: Kind,
    pub name: Name,
    pub why: String,
}

impl Frozen {
    /// Returns a sentence that the manifest does not take effect.
    pub fn sentence(&self) -> String {
        Self { why: Vec::new(), ..self.clone() }.detail().to_string()
    }

    pub fn detail(&self) -> Detail {
        let Self { kind, name, in_force, unusable, why } = self;
        let (kind, name, why) = (*kind, name.to_string(), why.clone());
        if *unusable {
            Detail::StoredFrozen { kind, name, why }
        } else {
            Detail::ManifestFrozen { kind, name, in_force: *in_force, why }
        }
    }
}

impl Kept {
    pub fn detail(&self) -> Detail {
        Detail::ManifestKept { kind: self.kind, name: self.name.to_string(), why: self.why.clone() }
    }
}

/// Returns the campaigns that `checked` renames, with their names `in_force`.
///
/// An old name must not be in the files any more.
pub fn renames(checked: &Checked, in_force: &Desired) -> BTreeMap<Name, Name> {
    let is_there = |name: &Name| {
        let key = (Kind::Campaign, name.clone());
        checked.desired.campaigns.contains_key(name) || checked.broken.contains(&key)
    };
    let is_stored = |name: &Name| {
        in_force.campaigns.contains_key(name) || in_force.unusable.contains_key(&(Kind::Campaign, name.clone()))
    };
    let renames = checked.renames.iter().filter(|(new, old)| {
        // A stored campaign that cannot be used is renamed only together with a good version.
        let is_usable = in_force.campaigns.contains_key(*old) || checked.desired.campaigns.contains_key(*new);
        is_stored(old) && is_usable && !is_there(old) && !is_stored(new)
    });
    renames.map(|(new, old)| (new.clone(), old.clone())).collect()
}

/// Keeps broken objects of `checked` in their version `in_force`, and protected objects whose manifests are gone.
///
/// Renamed campaigns have their new names in `in_force`.
pub fn freeze(checked: &Checked, in_force: &Desired) -> Freeze {
    let mut mix = Mix { desired: checked.desired.clone(), in_force, frozen: BTreeMap::new(), stuck: BTreeSet::new() };
    for (key, unusable) in in_force.unusable.iter().filter(|(key, unusable)| !heals(checked, key, unusable)) {
        let (kind, name) = key;
        let why = defect_and_remedy(*kind, name, unusable);
        mix.freeze(key, why.clone());
        mix.stuck.insert(key.clone());
        if *kind == Kind::Campaign {
            mix.keep_what_may_be_needed(unusable, &why);
        }
    }
    for key in &checked.broken {
        mix.freeze(key, checked.why.get(key).cloned().unwrap_or_default());
    }
    for key in in_force.protected.iter().filter(|(kind, name)| !checked.desired.has(*kind, name)) {
        mix.freeze(key, vec!["`relance/prune` is `disabled`".to_owned()]);
    }
    // An unreadable manifest may be new, or have a new name.
    if checked.unnamed || checked.unread.iter().any(|name| !in_force.campaigns.contains_key(name)) {
        mix.keep_what_is_missing();
    }
    if checked.hides_defaults {
        mix.keep_what_depends_on_defaults();
    }
    mix.settle();
    let (mut frozen, mut kept) = (Vec::new(), Vec::new());
    for ((kind, name), why) in mix.frozen {
        let key = (kind, name.clone());
        let unusable = mix.stuck.contains(&key);
        let is_gone = !checked.desired.has(kind, &name) && !checked.broken.contains(&key);
        let in_force = !in_force.unusable.contains_key(&key) && in_force.has(kind, &name);
        if in_force && is_gone && !unusable {
            kept.push(Kept { kind, name, why: why.join("; ") });
        } else {
            frozen.push(Frozen { kind, name, in_force, unusable, why });
        }
    }
    Freeze { desired: mix.desired, frozen, kept }
}

fn defect_and_remedy(kind: Kind, name: &Name, unusable: &Unusable) -> Vec<String> {
    let defect = Detail::StoredUnusable { kind, name: name.to_string(), defect: unusable.defect.clone() };
    vec![defect.to_string(), Unusable::remedy(kind, name)]
}

/// Returns true if the files hold a good version of an unusable object, other than the one that it was made from. The
/// same version does not replace it: another program may have stored it, and understand it.
fn heals(checked: &Checked, key: &(Kind, Name), unusable: &Unusable) -> bool {
    let is_broken = match key.0 {
        // There is one `Defaults`, whatever its manifest is called.
        Kind::Defaults => checked.hides_defaults || checked.broken.iter().any(|(kind, _)| *kind == Kind::Defaults),
        _ => checked.broken.contains(key),
    };
    let is_sound = checked.desired.has(key.0, &key.1) && !is_broken;
    is_sound && checked.versions.get(key) != Some(&unusable.source)
}

struct Mix<'a> {
    desired: Desired,
    in_force: &'a Desired,
    frozen: BTreeMap<(Kind, Name), Vec<String>>,
    /// The objects frozen because a stored one cannot be used.
    stuck: BTreeSet<(Kind, Name)>,
}

impl Mix<'_> {
    /// Replaces the tree's version of an object with the one in force; returns true if it was not frozen before.
    fn freeze(&mut self, (kind, name): &(Kind, Name), why: Vec<String>) -> bool {
        let (desired, in_force) = (&mut self.desired, self.in_force);
        match kind {
            Kind::Campaign => restore(&mut desired.campaigns, &in_force.campaigns, name),
            Kind::Sequence => restore(&mut desired.sequences, &in_force.sequences, name),
            Kind::Channel => restore(&mut desired.channels, &in_force.channels, name),
            Kind::Queue => restore(&mut desired.queues, &in_force.queues, name),
            Kind::Notifier => restore(&mut desired.notifiers, &in_force.notifiers, name),
            Kind::Account => restore(&mut desired.accounts, &in_force.accounts, name),
            Kind::Defaults => desired.defaults.clone_from(&in_force.defaults),
            // Filters and schedules are part of the campaigns that use them; tests have no effect.
            Kind::Filter | Kind::Schedule | Kind::CampaignTest => return false,
        }
        let key = (*kind, name.clone());
        if let Some(unusable) = in_force.unusable.get(&key) {
            desired.unusable.insert(key.clone(), unusable.clone());
        }
        if in_force.protected.contains(&key) {
            desired.protected.insert(key.clone());
        } else {
            desired.protected.remove(&key);
        }
        let is_new = !self.frozen.contains_key(&key);
        self.frozen.entry(key).or_insert(why);
        is_new
    }

    fn keep_what_is_missing(&mut self) {
        for key in self.in_force.keys().filter(|(kind, name)| !self.desired.has(*kind, name)).collect::<Vec<_>>() {
            let why = "it is not in the files, but something in them cannot be read and may be it";
            self.freeze(&key, vec![why.to_owned()]);
        }
    }

    /// Keeps the sequence and channel that an unusable campaign needs, if they are not in the files. If their names
    /// cannot be read, it keeps all stored sequences and channels.
    fn keep_what_may_be_needed(&mut self, campaign: &Unusable, why: &[String]) {
        let needs = campaign.needs();
        let is_needed = |key: &(Kind, Name)| match &needs {
            Some(needs) => needs.contains(key),
            None => matches!(key.0, Kind::Sequence | Kind::Channel),
        };
        let gone = self.in_force.keys().filter(|key| is_needed(key) && !self.desired.has(key.0, &key.1));
        for key in gone.collect::<Vec<_>>() {
            self.freeze(&key, why.to_vec());
            self.stuck.insert(key);
        }
    }

    fn keep_what_depends_on_defaults(&mut self) {
        let why = "there is no `Defaults`, but something in the files cannot be read and may be it";
        let campaigns = self.desired.campaigns.keys().chain(self.in_force.campaigns.keys());
        let campaigns: Vec<_> = campaigns.map(|name| (Kind::Campaign, name.clone())).collect();
        self.desired.defaults.clone_from(&self.in_force.defaults);
        for key in &campaigns {
            self.freeze(key, vec![why.to_owned()]);
        }
    }

    /// Freezes more objects until the state fits together.
    fn settle(&mut self) {
        // A tree without frozen objects already fits together.
        if self.frozen.is_empty() {
            return;
        }
        loop {
            let mut is_settled = true;
            for misfit in self.desired.misfits() {
                let unusable = misfit.between.iter().find_map(|key| {
                    let unusable = self.desired.unusable.get(key)?;
                    Some(defect_and_remedy(key.0, &key.1, unusable))
                });
                let is_stuck = unusable.is_some();
                let why = unusable.unwrap_or_else(|| vec![misfit.sentence]);
                for key in &misfit.between {
                    if is_stuck {
                        self.stuck.insert(key.clone());
                    }
                    is_settled &= !self.freeze(key, why.clone());
                }
            }
            if is_settled {
                return;
            }
        }
    }
}

fn restore<T: Clone>(objects: &mut BTreeMap<Name, T>, in_force: &BTreeMap<Name, T>, name: &Name) {
    match in_force.get(name) {
        Some(object) => objects.insert(name.clone(), object.clone()),
        None => objects.remove(name),
    };
}
