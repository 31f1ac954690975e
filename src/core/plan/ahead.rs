//! The effect of a plan on the days ahead: campaigns whose end moves, and campaigns that outlive a subscription.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::diff::{Action, Outlives, Plan, Slip};
use super::forecast::{Finish, Foreseen, Total};
use super::objects::Kind;
use crate::core::domain::{Name, Timestamp};
use crate::core::manifest::Desired;
use crate::core::manifest::desired::{CampaignType, DesiredState};

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
        for (name, now) in after {
            let Some(once) = before.get(name) else { continue };
            let active = desired.campaigns.get(name).is_some_and(|spec| spec.state == DesiredState::Active);
            if active && is_moved(once.finish, now.finish) {
                moved.entry(name).or_default().push((once.finish, now.finish));
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

/// Returns the runs of filtered campaigns that outlive a subscription under the last tree.
///
/// The result has all such runs of the `named` campaigns; of other campaigns, only runs that did not outlive it under
/// the tree before.
pub fn outlives(foreseen: &[Foreseen], desired: &Desired, named: &BTreeSet<Name>) -> Vec<Outlives> {
    let mut found = Vec::new();
    for account in foreseen {
        let (Some(end), Some(after)) = (account.subscription_ends_at, account.trees.last()) else { continue };
        let refused = account.refused.last();
        for (name, outlook) in after {
            let filtered = desired.campaigns.get(name).is_some_and(|spec| spec.kind == CampaignType::Filtered);
            let at = account.trees.len().checked_sub(2);
            let before = at.and_then(|at| account.trees[at].get(name));
            let was_refused = at.is_some_and(|at| account.refused[at].contains_key(name));
            let known = !named.contains(name) && (was_refused || before.is_some_and(|before| before.outlives(end)));
            let would_end = refused.and_then(|refused| refused.get(name)).copied();
            if filtered && !known && (would_end.is_some() || outlook.outlives(end)) {
                found.push(Outlives {
                    campaign: name.clone(),
                    account: account.name.clone(),
                    subscription_ends_at: end,
                    finish_at: would_end.unwrap_or(outlook.finish).at(),
                    refused: would_end.is_some(),
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
    fn an_end_moves_by_days_or_comes_and_goes() {
        let at = |text: &str| Finish::At(text.parse().unwrap());
        let monday = at("2026-11-30T08:00:00Z");
        assert!(!is_moved(monday, at("2026-11-30T23:00:00Z")));
        assert!(is_moved(monday, at("2026-12-01T08:00:00Z")) && is_moved(at("2026-12-01T08:00:00Z"), monday));
        assert!(is_moved(monday, Finish::Never(Endless::TooFar)));
        assert!(!is_moved(Finish::Never(Endless::Paused), Finish::Never(Endless::TooFar)));
    }
}
