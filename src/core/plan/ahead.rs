//! The effect of a plan on the days ahead: campaigns whose end moves, and campaigns that outlive a subscription.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::diff::{Action, Outlives, Plan, Slip};
use super::forecast::{Finish, Foreseen, Outlook, Total};
use super::objects::Kind;
use crate::core::domain::{Name, Timestamp};
use crate::core::manifest::Desired;
use crate::core::manifest::desired::DesiredState;

/// The smallest move of an end that is reported.
const NOTABLE: TimeDelta = TimeDelta::days(1);

impl Plan {
    /// Fills in the effects on the days ahead. `foreseen` holds the forecasts under the state in force and under
    /// `desired`.
    pub fn look_ahead(&mut self, foreseen: &[Foreseen], desired: &Desired) {
        let runs = |name: &Name| -> Total {
            let name = name.clone();
            Total::of(foreseen.iter().filter_map(move |account| account.trees.get(1)?.get(&name)))
        };
        for change in &mut self.changes {
            let active = desired.campaigns.get(&change.name).is_some_and(|spec| spec.state == DesiredState::Active);
            let (Kind::Campaign, Some(effect)) = (change.kind, &mut change.effect) else { continue };
            let total = runs(&change.name);
            // An operator's override keeps a run going that its manifest stops.
            if !active && total.enrolled == 0 && total.messages.is_empty() {
                continue;
            }
            effect.enroll = total.enrolled_now;
            effect.messages_per_day = Some(total.messages_per_day());
            effect.finish_at = total.finish_at;
            effect.never = total.never;
        }
        self.slips = slips(foreseen, desired);
        self.outlives = outlives(foreseen, desired, &self.begun());
    }

    /// Returns the campaigns that this plan creates or changes.
    fn begun(&self) -> BTreeSet<Name> {
        let campaigns = self.changes.iter().filter(|change| change.kind == Kind::Campaign);
        campaigns.filter(|change| change.action != Action::Cancel).map(|change| change.name.clone()).collect()
    }
}

/// Returns the campaigns whose runs end at another time under the second tree than under the first.
pub fn slips(foreseen: &[Foreseen], desired: &Desired) -> Vec<Slip> {
    let mut moved: BTreeMap<&Name, Vec<(Finish, Finish)>> = BTreeMap::new();
    for account in foreseen {
        let [before, after] = account.trees.as_slice() else { continue };
        // A run that pauses when the subscription ends is compared as if it were renewed; that it pauses is said elsewhere.
        let finish = |tree: usize, name: &Name, outlook: &Outlook| {
            account.pausing[tree].get(name).copied().unwrap_or(outlook.finish)
        };
        for (name, outlook) in after {
            let Some(once) = before.get(name) else { continue };
            let active = desired.campaigns.get(name).is_some_and(|spec| spec.state == DesiredState::Active);
            let (once, now) = (finish(0, name, once), finish(1, name, outlook));
            if active && is_moved(once, now) {
                moved.entry(name).or_default().push((once, now));
            }
        }
    }
    let last = |ends: &mut dyn Iterator<Item = Finish>| -> Option<Timestamp> {
        // A run that never ends counts as later than any other.
        ends.map(Finish::at).collect::<Option<Vec<_>>>()?.into_iter().max()
    };
    let slip = |(name, ends): (&Name, Vec<(Finish, Finish)>)| Slip {
        campaign: name.clone(),
        accounts: ends.len() as u64,
        before: last(&mut ends.iter().map(|(before, _)| *before)),
        after: last(&mut ends.iter().map(|(_, after)| *after)),
    };
    moved.into_iter().map(slip).collect()
}

fn is_moved(before: Finish, after: Finish) -> bool {
    match (before.at(), after.at()) {
        (Some(before), Some(after)) => (after - before).abs() >= NOTABLE,
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    }
}

/// Returns the runs that outlive a subscription under the last tree.
///
/// The result has all such runs of the `named` campaigns; of other campaigns, only runs that did not outlive it under
/// the tree before.
pub fn outlives(foreseen: &[Foreseen], desired: &Desired, named: &BTreeSet<Name>) -> Vec<Outlives> {
    let mut found = Vec::new();
    for account in foreseen {
        let (Some(end), Some(after)) = (account.subscription_ends_at, account.trees.last()) else { continue };
        let (refused, pausing) = (account.refused.last(), account.pausing.last());
        for name in after.keys().filter(|name| desired.campaigns.contains_key(name)) {
            let at = account.trees.len().checked_sub(2);
            let was = |at: usize| account.refused[at].contains_key(name) || account.pausing[at].contains_key(name);
            if !named.contains(name) && at.is_some_and(was) {
                continue;
            }
            let of = |runs: Option<&BTreeMap<Name, Finish>>| runs.and_then(|runs| runs.get(name)).copied();
            let refused = of(refused);
            if let Some(finish) = refused.or_else(|| of(pausing)) {
                found.push(Outlives {
                    campaign: name.clone(),
                    account: account.name.clone(),
                    subscription_ends_at: end,
                    finish_at: finish.at(),
                    refused: refused.is_some(),
                });
            }
        }
    }
    found.sort_by(|a, b| (&a.campaign, &a.account).cmp(&(&b.campaign, &b.account)));
    found
}

#[cfg(test)]
mod tests {
    use super::{Finish, is_moved};
    use crate::core::plan::forecast::Endless;

    #[test]
    fn an_end_is_moved_if_its_day_or_existence_changes() {
        let at = |text: &str| Finish::At(text.parse().unwrap());
        let monday = at("2026-11-30T08:00:00Z");
        assert!(!is_moved(monday, at("2026-11-30T23:00:00Z")));
        assert!(is_moved(monday, at("2026-12-01T08:00:00Z")) && is_moved(at("2026-12-01T08:00:00Z"), monday));
        assert!(is_moved(monday, Finish::Never(Endless::TooFar)));
        assert!(!is_moved(Finish::Never(Endless::Paused), Finish::Never(Endless::TooFar)));
    }
}
