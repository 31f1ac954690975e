//! The policy of one account: values of `Defaults`, overridden by `Account` manifests value by value.
//!
//! A manifest with more labels wins over one with fewer, and a manifest that names the account wins over both. Between
//! equal ranks the first by name wins. Only this module implements that order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account_selector::AccountSelector;
use super::pacing::Pacing;
use super::safety::Safety;
use crate::core::domain::Name;

/// A switch of a manifest: `on` or `off`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    #[default]
    On,
    Off,
}

impl Switch {
    pub fn is_on(self) -> bool {
        self == Self::On
    }

    /// Returns the word that manifests use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_usual(&self) -> bool {
        self.is_on()
    }
}

/// The policy of one account, independent of its campaigns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountPolicy {
    /// Messages per local day over all campaigns. `None` means no limit.
    pub messages_per_day: Option<u32>,
    pub pacing: Pacing,
    /// The failure and opt-out rates that stop the account.
    #[serde(default, skip_serializing_if = "Safety::is_usual")]
    pub safety: Safety,
    /// `true` lets the default campaign continue while a filtered campaign is active.
    #[serde(default)]
    pub allow_simultaneous_campaigns: bool,
    /// `Off` stops enrollment in its campaigns.
    #[serde(default, skip_serializing_if = "Switch::is_usual")]
    pub enrollment: Switch,
    /// `Off` stops sending.
    #[serde(default, skip_serializing_if = "Switch::is_usual")]
    pub sending: Switch,
    /// The channel of campaigns that name none. `None` means the built-in sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Name>,
    /// The sender on channels that have several, written as the provider identifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

/// An `Account` manifest: the values it sets for the accounts it selects. `None` leaves a value unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    pub accounts: AccountSelector,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_per_day: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pacing: Option<Pacing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<Safety>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_simultaneous_campaigns: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<Switch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending: Option<Switch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

/// The names of settings, as manifests write them.
mod key {
    pub(super) const MESSAGES_PER_DAY: &str = "limits.messagesPerDay";
    pub(super) const PACING: &str = "pacing";
    pub(super) const SAFETY: &str = "safety";
    pub(super) const ALLOW_SIMULTANEOUS_CAMPAIGNS: &str = "allowSimultaneousCampaigns";
    pub(super) const ENROLLMENT: &str = "enrollment";
    pub(super) const SENDING: &str = "sending";
    pub(super) const CHANNEL: &str = "channelRef";
    pub(super) const SENDER: &str = "sender";
}

/// One setting with the value that a manifest gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core::manifest) enum PolicyLayer<'a> {
    MessagesPerDay(u32),
    Pacing(&'a Pacing),
    Safety(Safety),
    AllowSimultaneousCampaigns(bool),
    Enrollment(Switch),
    Sending(Switch),
    Channel(&'a Name),
    Sender(&'a str),
}

impl PolicyLayer<'_> {
    /// Returns the key below `spec`, its steps joined by dots.
    pub(in crate::core::manifest) const fn key(self) -> &'static str {
        match self {
            Self::MessagesPerDay(_) => key::MESSAGES_PER_DAY,
            Self::Pacing(_) => key::PACING,
            Self::Safety(_) => key::SAFETY,
            Self::AllowSimultaneousCampaigns(_) => key::ALLOW_SIMULTANEOUS_CAMPAIGNS,
            Self::Enrollment(_) => key::ENROLLMENT,
            Self::Sending(_) => key::SENDING,
            Self::Channel(_) => key::CHANNEL,
            Self::Sender(_) => key::SENDER,
        }
    }

    fn put(self, policy: &mut AccountPolicy) {
        match self {
            Self::MessagesPerDay(cap) => policy.messages_per_day = Some(cap),
            Self::Pacing(pacing) => policy.pacing = pacing.clone(),
            Self::Safety(safety) => policy.safety = safety,
            Self::AllowSimultaneousCampaigns(allow) => policy.allow_simultaneous_campaigns = allow,
            Self::Enrollment(switch) => policy.enrollment = switch,
            Self::Sending(switch) => policy.sending = switch,
            Self::Channel(channel) => policy.channel = Some(channel.clone()),
            Self::Sender(sender) => policy.sender = Some(sender.to_owned()),
        }
    }
}

impl Account {
    /// Returns every value that the manifest sets.
    pub(in crate::core::manifest) fn layers(&self) -> impl Iterator<Item = PolicyLayer<'_>> {
        let all = [
            self.messages_per_day.map(PolicyLayer::MessagesPerDay),
            self.pacing.as_ref().map(PolicyLayer::Pacing),
            self.safety.map(PolicyLayer::Safety),
            self.allow_simultaneous_campaigns.map(PolicyLayer::AllowSimultaneousCampaigns),
            self.enrollment.map(PolicyLayer::Enrollment),
            self.sending.map(PolicyLayer::Sending),
            self.channel.as_ref().map(PolicyLayer::Channel),
            self.sender.as_deref().map(PolicyLayer::Sender),
        ];
        all.into_iter().flatten()
    }

    /// Returns the rank among manifests that select the same account; the higher rank wins. Between equal ranks the
    /// first by name wins.
    fn rank(&self) -> (bool, usize) {
        match &self.accounts {
            AccountSelector::All => (false, 0),
            AccountSelector::MatchLabels(labels) => (false, labels.len()),
            AccountSelector::Names(_) => (true, 0),
        }
    }
}

/// The origin of one value of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The key in the manifest, its steps joined by dots.
    pub setting: &'static str,
    /// Null where nothing is set: no limit, the built-in sandbox, no sender.
    pub value: Value,
    /// The `Account` manifest that sets the value; null means `Defaults` or the built-in default.
    pub manifest: Option<Name>,
}

/// The policies of all accounts, indexed for repeated lookups.
#[derive(Debug, Default)]
pub struct Policies {
    usual: Arc<AccountPolicy>,
    /// The manifests in ascending rank.
    manifests: Vec<(Name, Account)>,
    by_name: HashMap<String, Vec<usize>>,
    /// Indexes of manifests by their first label: key, then value.
    by_label: HashMap<String, HashMap<String, Vec<usize>>>,
    /// The accounts that neither enroll nor send, because a stored policy of theirs cannot be used.
    stopped: Vec<AccountSelector>,
}

impl Policies {
    /// Builds the policies over `usual`, the policy of `Defaults`.
    pub fn new(usual: &AccountPolicy, accounts: &BTreeMap<Name, Account>) -> Self {
        let mut manifests: Vec<(Name, Account)> =
            accounts.iter().rev().map(|(name, account)| (name.clone(), account.clone())).collect();
        // The sort is stable: between equal ranks the first by name comes last.
        manifests.sort_by_key(|(_, account)| account.rank());
        let mut policies = Self { usual: Arc::new(usual.clone()), ..Self::default() };
        for (at, (_, account)) in manifests.iter().enumerate() {
            match &account.accounts {
                AccountSelector::All => {}
                AccountSelector::Names(names) => {
                    for name in names {
                        policies.by_name.entry(name.clone()).or_default().push(at);
                    }
                }
                AccountSelector::MatchLabels(labels) => {
                    if let Some((key, value)) = labels.first_key_value() {
                        let values = policies.by_label.entry(key.clone()).or_default();
                        values.entry(value.clone()).or_default().push(at);
                    }
                }
            }
        }
        Self { manifests, ..policies }
    }

    /// Stops the accounts of these selectors: their limits are unknown, so nothing may go out by them.
    #[must_use]
    pub(super) fn stopping(self, stopped: Vec<AccountSelector>) -> Self {
        Self { stopped, ..self }
    }

    /// Returns the policy of the account with this id and these extra columns.
    pub fn of(&self, id: &str, columns: &Value) -> Arc<AccountPolicy> {
        let over = self.over(id, columns);
        let is_stopped = self.stopped.iter().any(|stopped| stopped.selects(id, columns));
        if over.is_empty() && !is_stopped {
            return Arc::clone(&self.usual);
        }
        let mut policy = AccountPolicy::clone(&self.usual);
        for layers in over.into_iter().flat_map(|at| self.manifests[at].1.layers()) {
            layers.put(&mut policy);
        }
        if is_stopped {
            policy.enrollment = Switch::Off;
            policy.sending = Switch::Off;
        }
        Arc::new(policy)
    }

    /// Returns each value of the policy of an account, with its origin.
    pub fn origins(&self, id: &str, columns: &Value) -> Vec<Origin> {
        let (over, policy) = (self.over(id, columns), self.of(id, columns));
        let values = [
            (key::MESSAGES_PER_DAY, json!(policy.messages_per_day)),
            (key::PACING, json!(policy.pacing)),
            (key::SAFETY, json!(policy.safety)),
            (key::ALLOW_SIMULTANEOUS_CAMPAIGNS, json!(policy.allow_simultaneous_campaigns)),
            (key::ENROLLMENT, json!(policy.enrollment)),
            (key::SENDING, json!(policy.sending)),
            (key::CHANNEL, json!(policy.channel)),
            (key::SENDER, json!(policy.sender)),
        ];
        let last =
            |key: &str| over.iter().rev().find(|at| self.manifests[**at].1.layers().any(|layers| layers.key() == key));
        let origin = |(setting, value): (&'static str, Value)| Origin {
            setting,
            value,
            manifest: last(setting).map(|at| self.manifests[*at].0.clone()),
        };
        values.into_iter().map(origin).collect()
    }

    /// Returns the selectors of the manifests that set a sender.
    pub fn with_sender(&self) -> impl Iterator<Item = &AccountSelector> {
        let with_sender = self.manifests.iter().filter(|(_, account)| account.sender.is_some());
        with_sender.map(|(_, account)| &account.accounts)
    }

    /// Returns the lowest daily limit that any account may have; `None` when none has one.
    pub fn lowest_cap(&self) -> Option<u32> {
        let caps = self.manifests.iter().filter_map(|(_, account)| account.messages_per_day);
        caps.chain(self.usual.messages_per_day).min()
    }

    /// Returns the indexes of manifests that select the account, in ascending rank.
    fn over(&self, id: &str, columns: &Value) -> Vec<usize> {
        let columns_said = columns.as_object().into_iter().flatten();
        let labelled = columns_said
            .filter_map(|(key, value)| self.by_label.get(key)?.get(value.as_str()?))
            .flatten()
            .filter(|at| self.manifests[**at].1.accounts.selects(id, columns));
        let mut over: Vec<usize> = labelled.chain(self.by_name.get(id).into_iter().flatten()).copied().collect();
        over.sort_unstable();
        over
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::{Account, AccountPolicy, Policies, Switch};
    use crate::core::domain::{Name, Period};
    use crate::core::manifest::desired::{AccountSelector, Pacing};

    fn account(accounts: AccountSelector) -> Account {
        Account {
            accounts,
            messages_per_day: None,
            pacing: None,
            safety: None,
            allow_simultaneous_campaigns: None,
            enrollment: None,
            sending: None,
            channel: None,
            sender: None,
        }
    }

    fn labels(pairs: &[(&str, &str)]) -> Account {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        account(AccountSelector::MatchLabels(pairs.collect()))
    }

    fn names(names: &[&str]) -> Account {
        account(AccountSelector::Names(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn policies(manifests: Vec<(&str, Account)>) -> Policies {
        let usual = AccountPolicy { messages_per_day: Some(100), ..AccountPolicy::default() };
        Policies::new(&usual, &manifests.into_iter().map(|(text, account)| (name(text), account)).collect())
    }

    #[test]
    fn an_account_name_wins_over_labels_value_by_value() {
        let slow = Pacing { every: Period::minutes(9), jitter: Period::ZERO, waves: vec![] };
        let policies = policies(vec![
            ("a-named", Account { messages_per_day: Some(1), ..names(&["a1", "a2"]) }),
            (
                "b-both",
                Account {
                    messages_per_day: Some(2),
                    sending: Some(Switch::Off),
                    ..labels(&[("plan", "gold"), ("city", "Douala")])
                },
            ),
            (
                "c-gold",
                Account {
                    messages_per_day: Some(3),
                    sending: Some(Switch::On),
                    pacing: Some(slow.clone()),
                    ..labels(&[("plan", "gold")])
                },
            ),
        ]);
        let gold = json!({"plan": "gold", "city": "Yaounde"});
        let both = json!({"plan": "gold", "city": "Douala"});
        let cap = |id: &str, columns: &Value| policies.of(id, columns).messages_per_day;
        assert_eq!(cap("a9", &json!({})), Some(100));
        assert_eq!(cap("a9", &json!({"plan": "silver"})), Some(100));
        assert_eq!(cap("a9", &gold), Some(3));
        assert_eq!(cap("a9", &both), Some(2));
        assert_eq!(cap("a1", &both), Some(1));
        // A value that the highest rank leaves out comes from the next rank.
        let policy = policies.of("a1", &both);
        assert_eq!((policy.sending, &policy.pacing), (Switch::Off, &slow));
        assert_eq!(policies.of("a1", &gold).sending, Switch::On);
        let manifests: Vec<Option<Name>> =
            policies.origins("a1", &both).into_iter().map(|origin| origin.manifest).collect();
        let from = |text: &str| Some(name(text));
        assert_eq!(manifests, [from("a-named"), from("c-gold"), None, None, None, from("b-both"), None, None]);
        assert_eq!(policies.lowest_cap(), Some(1));
    }

    #[test]
    fn the_first_name_wins_between_equal_selectors() {
        let cap = |cap| move |account: Account| Account { messages_per_day: Some(cap), ..account };
        let policies = policies(vec![
            ("x", cap(1)(labels(&[("city", "Douala")]))),
            ("m", cap(2)(labels(&[("plan", "gold")]))),
            ("z", cap(3)(labels(&[("plan", "gold")]))),
        ]);
        assert_eq!(policies.of("a1", &json!({"plan": "gold", "city": "Douala"})).messages_per_day, Some(2));
    }

    #[test]
    fn accounts_without_a_manifest_share_one_policy() {
        let policies = policies(vec![("a", Account { messages_per_day: Some(1), ..names(&["a1"]) })]);
        assert!(Arc::ptr_eq(&policies.of("a2", &json!({})), &policies.of("a3", &json!({"a": "b"}))));
        // A number matches no label, as in campaigns.
        assert_eq!(policies.of("a3", &json!({"a": 1})).messages_per_day, Some(100));
        assert_eq!(Policies::new(&AccountPolicy::default(), &BTreeMap::new()).lowest_cap(), None);
    }
}
