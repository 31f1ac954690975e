//! `kind: Account` as it is written, and what several of them say together.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::defaults::PacingSpec;
use super::safety::SafetySpec;
use crate::core::diagnostic::{Code, Diagnostic, Place};
use crate::core::domain::Name;
use crate::core::manifest::desired::AccountSelector;
use crate::core::manifest::desired::policy::{Account, Switch};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::lint::account_conflicts as clash;
use crate::core::manifest::lint::account_conflicts::Clash;
use crate::core::manifest::resolve::check::Checked;
use crate::core::manifest::resolve::read::{Manifest, Spec};
use crate::core::manifest::resolve::references::{Found, Tree};
use crate::core::manifest::syntax::document::Document;

/// What holds for some accounts in place of what `Defaults` says. More labels count more than fewer, and the name of an
/// account counts most, value by value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct AccountSpec {
    /// A list of account names, or labels that accounts must have.
    accounts: AccountSelector,
    limits: Option<AccountLimitsSpec>,
    /// How the account spaces its messages: as a whole, what it leaves out does not come from `Defaults`.
    pacing: Option<PacingSpec>,
    /// When the account is stopped for its own good: as a whole, what it leaves out does not come from `Defaults`.
    safety: Option<SafetySpec>,
    /// Whether the default campaign goes on while a filtered one is active.
    allow_simultaneous_campaigns: Option<bool>,
    /// `off`: its campaigns take nobody; whoever is in one goes on.
    enrollment: Option<Switch>,
    /// `off`: nothing leaves; everybody stays where they are.
    sending: Option<Switch>,
    /// The name of the `Channel` of campaigns that have none.
    channel_ref: Option<Name>,
    /// In whose name channels that have several senders send, as the provider calls it.
    #[schemars(length(min = 1))]
    sender: Option<String>,
}

/// How much may happen.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountLimitsSpec {
    /// Messages per local day over all its campaigns.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    messages_per_day: Option<u32>,
}

impl AccountSpec {
    /// Checks what needs no other manifest.
    pub(in crate::core::manifest) fn check(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        if self.accounts == AccountSelector::All {
            found.push(
                Diagnostic::new(
                    Code::UnknownValue,
                    document.place("/spec/accounts"),
                    "`accounts` cannot be `all` here",
                )
                .help("that is what `Defaults` is for; write `{names: […]}` or `{matchLabels: {…}}`"),
            );
        }
        if let Some(safety) = self.safety {
            safety.check(document, found);
        }
        if self.resolve().said().next().is_none() {
            let message = "the `Account` sets nothing";
            found.push(
                Diagnostic::new(Code::NoEffect, document.key_place("/spec"), message)
                    .help("give it a limit, a pace or a switch, or remove it"),
            );
        }
    }

    fn resolve(&self) -> Account {
        Account {
            accounts: self.accounts.clone().in_order(),
            messages_per_day: self.limits.and_then(|limits| limits.messages_per_day),
            pacing: self.pacing.as_ref().map(PacingSpec::resolve),
            safety: self.safety.map(SafetySpec::resolve),
            allow_simultaneous_campaigns: self.allow_simultaneous_campaigns,
            enrollment: self.enrollment,
            sending: self.sending,
            channel: self.channel_ref.clone(),
            sender: self.sender.clone(),
        }
    }
}

/// Takes sound manifests into the desired state, refuses those that contradict each other, and says where it takes a
/// rule to know which of two counts. Channels are resolved by then.
pub(in crate::core::manifest) fn check(tree: &Tree<'_, '_>, checked: &mut Checked) {
    let manifests = tree.of_kind(Kind::Account);
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

/// Says of senders that no channel asks for.
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
