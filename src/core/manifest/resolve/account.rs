//! `Account` manifests: resolves each one, and reports those that contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use super::checked::Checked;
use super::references::{Found, Tree};
use crate::core::diagnostic::{Code, Diagnostic, Place};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::lint::account_conflicts as clash;
use crate::core::manifest::lint::account_conflicts::Clash;
use crate::core::manifest::parsed::{Manifest, Spec};

/// Adds sound manifests to the desired state, refuses contradictory ones, and warns where only the order of names
/// decides. Channels must be resolved first.
pub(in crate::core::manifest) fn check(tree: &Tree<'_, '_>, checked: &mut Checked) {
    let manifests = tree.manifests.of_kind(Kind::Account);
    for manifest in &manifests {
        let Some(Spec::Account(spec)) = &manifest.spec else { continue };
        let key = (Kind::Account, manifest.name.clone());
        let at = "/spec/channelRef";
        let channel = spec.channel_ref.as_ref().map(|name| tree.find(manifest, Kind::Channel, at, name, checked));
        if channel.is_some_and(|found| !matches!(found, Found::Sound(_))) {
            checked.broken.insert(key);
        } else if !checked.broken.contains(&key) {
            checked.desired.accounts.insert(manifest.name.clone(), spec.resolve());
        }
    }
    let documents: BTreeMap<&Name, &Manifest<'_>> = manifests.iter().map(|one| (&one.name, *one)).collect();
    let place = |name: &Name, key: &str| {
        documents.get(name).map(|manifest| manifest.document.place(&format!("/spec/{}", key.replace('.', "/"))))
    };
    senders(&place, checked);
    undecided(&place, checked);
    clashes(&place, checked);
}

/// Warns of senders that no channel uses.
fn senders(place: &dyn Fn(&Name, &str) -> Option<Place>, checked: &mut Checked) {
    if checked.desired.channels.values().any(|channel| channel.takes().senders) {
        return;
    }
    let with_sender = checked.desired.accounts.iter().filter(|(_, account)| account.sender.is_some());
    let idle = with_sender.filter_map(|(name, _)| place(name, "sender")).map(|place| {
        Diagnostic::new(Code::NoEffect, place, "`sender` has no effect: no channel of this tree has senders")
            .help("the sandbox keeps messages and sends none; the value is there for a channel that does")
    });
    checked.diagnostics.extend(idle);
}

fn undecided(place: &dyn Fn(&Name, &str) -> Option<Place>, checked: &mut Checked) {
    for Clash { between: [first, second], key, .. } in clash::of_labels(&checked.desired.accounts) {
        let (Some(here), Some(other)) = (place(second, key), place(first, key)) else { continue };
        let message = format!("an account may match both `{first}` and `{second}`, and they set another `{key}`");
        checked.diagnostics.push(
            Diagnostic::new(Code::UndecidedAccounts, here, message)
                .related(other, "the other one, which counts: it comes first by name")
                .help("ask for one label more in the one that is to count"),
        );
    }
}

fn clashes(place: &dyn Fn(&Name, &str) -> Option<Place>, checked: &mut Checked) {
    let mut broken: BTreeSet<Name> = BTreeSet::new();
    for Clash { between: [first, second], key, account } in clash::of_names(&checked.desired.accounts) {
        broken.extend([first.clone(), second.clone()]);
        let (Some(here), Some(other)) = (place(second, key), place(first, key)) else { continue };
        let message = format!("both `{first}` and `{second}` set `{key}` of the account `{account}`");
        checked.diagnostics.push(
            Diagnostic::new(Code::AccountSetTwice, here, message)
                .related(other, "the other one")
                .help("take the account, or the value, out of one of them"),
        );
    }
    for name in broken {
        checked.desired.accounts.remove(&name);
        checked.broken.insert((Kind::Account, name));
    }
}
