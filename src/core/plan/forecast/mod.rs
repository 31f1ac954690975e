//! What one account is going to send: when each of its runs begins, when it ends, and how many messages leave a day.
//!
//! Pure and made for looking years ahead. People in the same situation are one [`Group`], and what leaves is counted in
//! strides: a day costs as much as it has groups to write to, however many people are in them. What is allowed is never
//! decided here: the gate says who is written to, the lifecycle which phase a run is in, the cadence what is due next and
//! the pacing how fast it goes, as they do when it happens.
//!
//! Foreseen is what follows from what is known now. Nobody pays, answers, registers or has a birthday; every hand-over
//! succeeds; nobody edits anything; the subscription does not end. Jitter counts with its average.

mod agenda;
mod crowd;
mod lane;
mod outlook;
mod run;
mod state;
#[cfg(test)]
mod tests;
mod total;

use std::collections::BTreeMap;

use chrono::TimeDelta;

pub use self::crowd::{Group, Place};
pub use self::outlook::{Endless, Finish, Foreseen, Limit, Outlook};
pub use self::run::{Account, Run};
pub use self::total::Total;
use crate::core::domain::Timestamp;
use crate::core::lifecycle::overrides::Action;
use crate::core::manifest::desired::PastSubscription;

/// Nothing is foreseen beyond this.
const HORIZON: TimeDelta = TimeDelta::days(3_653);

/// As [`forecast`], and refuses the filtered runs that have not begun and would not be done before the subscription of
/// the account ends: of several the one that goes last first, until the others are done in time. Tells of each run that
/// is refused how it would end.
pub fn admit(
    account: &Account<'_>,
    runs: &[Run<'_>],
    groups: &[Group],
    now: Timestamp,
) -> (Vec<Outlook>, BTreeMap<usize, Finish>) {
    let mut runs = runs.to_vec();
    let mut refused = BTreeMap::new();
    loop {
        let outlooks = forecast(account, &runs, groups.to_vec(), now);
        let Some(end) = account.facts.subscription_ends_at.filter(|end| *end > now) else { return (outlooks, refused) };
        let outlives = |at: &usize| {
            let run = &runs[*at];
            let at_once = run.orders.at(now).is_some_and(|order| order.action == Action::Start);
            let asked =
                !at_once && !run.started && !run.refused && run.spec.past_subscription == PastSubscription::Refuse;
            asked && outlooks[*at].outlives(end)
        };
        let Some(last) = (0..runs.len()).filter(outlives).max_by_key(|at| (runs[*at].spec.priority, *at)) else {
            return (outlooks, refused);
        };
        refused.insert(last, outlooks[last].finish);
        runs[last].refused = true;
    }
}

/// Looks ahead from `now`. `runs` come in the order in which their campaigns were made, and each group has a place in
/// every one of them; the outlooks come back in the same order.
pub fn forecast(account: &Account<'_>, runs: &[Run<'_>], groups: Vec<Group>, now: Timestamp) -> Vec<Outlook> {
    lane::Lane::new(account, runs, groups, now).run(now + HORIZON)
}
