//! The rule that an account has one default campaign at most.

use std::collections::BTreeMap;

use super::findings::Findings;
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::manifest::desired::{AccountSelector, CampaignType, DesiredState};
use crate::core::manifest::kinds::campaign::CampaignSpec;
use crate::core::manifest::parsed::{Manifest, Spec};

/// Refuses default campaigns that take the same accounts. Two different label sets may also share accounts, which the
/// files cannot tell.
pub(in crate::core::manifest) fn check(campaigns: &[&Manifest<'_>]) -> Findings {
    let defaults: Vec<(&Manifest<'_>, &CampaignSpec)> = campaigns
        .iter()
        .filter_map(|manifest| match &manifest.spec {
            Some(Spec::Campaign(spec)) => Some((*manifest, &**spec)),
            _ => None,
        })
        .filter(|(_, spec)| spec.kind == CampaignType::Default && spec.state != Some(DesiredState::Cancelled))
        .collect();
    let selectors = defaults.iter().map(|(_, spec)| spec.accounts.as_ref().unwrap_or(&AccountSelector::All));
    let mut findings = Findings::default();
    for Overlap { first, second, what } in find(selectors) {
        let ((first, _), (manifest, _)) = (defaults[first], defaults[second]);
        let message = format!("the default campaigns `{}` and `{}` both take {what}", first.name, manifest.name);
        findings.diagnostics.push(
            Diagnostic::new(Code::OverlappingDefaultCampaigns, manifest.document.place("/spec/type"), message)
                .related(first.document.place("/spec/type"), "the other one")
                .help("make one of them `type: filtered`, or give them different accounts"),
        );
        findings.broken.extend([first.name.clone(), manifest.name.clone()]);
    }
    findings
}

/// Two selectors that take the same accounts, by their indexes in a list.
pub(in crate::core::manifest) struct Overlap {
    pub(in crate::core::manifest) first: usize,
    pub(in crate::core::manifest) second: usize,
    /// A phrase for the accounts that both take.
    pub(in crate::core::manifest) what: String,
}

/// Finds selectors that share accounts with an earlier one.
pub(in crate::core::manifest) fn find<'a>(selectors: impl Iterator<Item = &'a AccountSelector>) -> Vec<Overlap> {
    let mut taken = Taken::default();
    let mut found = Vec::new();
    for (second, accounts) in selectors.enumerate() {
        found.extend(taken.overlap(accounts, second).map(|(first, what)| Overlap { first, second, what }));
        taken.add(accounts, second);
    }
    found
}

/// The accounts taken so far, with the index of the campaign that takes them.
#[derive(Default)]
struct Taken<'a> {
    all: Option<usize>,
    names: BTreeMap<&'a str, usize>,
    labels: BTreeMap<&'a BTreeMap<String, String>, usize>,
}

impl<'a> Taken<'a> {
    fn overlap(&self, accounts: &'a AccountSelector, before: usize) -> Option<(usize, String)> {
        if let Some(first) = self.all {
            return Some((first, "the same accounts".to_owned()));
        }
        match accounts {
            AccountSelector::All => (before > 0).then(|| (0, "the same accounts".to_owned())),
            AccountSelector::Names(names) => {
                names.iter().find_map(|name| Some((*self.names.get(name.as_str())?, format!("the account `{name}`"))))
            }
            AccountSelector::MatchLabels(labels) => {
                self.labels.get(labels).map(|first| (*first, "accounts with the same labels".to_owned()))
            }
        }
    }

    fn add(&mut self, accounts: &'a AccountSelector, index: usize) {
        match accounts {
            AccountSelector::All => self.all = self.all.or(Some(index)),
            AccountSelector::Names(names) => {
                for name in names {
                    self.names.entry(name).or_insert(index);
                }
            }
            AccountSelector::MatchLabels(labels) => {
                self.labels.entry(labels).or_insert(index);
            }
        }
    }
}
