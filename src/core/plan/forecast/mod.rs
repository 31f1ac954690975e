//! The forecast of one account: when each run begins and ends, and how many messages are sent each day.
//!
//! The forecast is pure and made to look years ahead. People in the same situation form one [`Group`], and messages are
//! counted in strides. A day costs as much as it has groups to send to, however many people are in them. The forecast
//! never decides what is allowed. It uses the production rules: the gate for people, the lifecycle for phases, the
//! cadence for due times and the pacing for speed.
//!
//! The forecast contains only what follows from the present state. Nobody pays, answers, registers or has a birthday;
//! every attempt succeeds; nobody edits anything; the subscription does not end. Jitter counts with its average.

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

/// The farthest end of a forecast.
const HORIZON: TimeDelta = TimeDelta::days(3_653);

/// Forecasts as [`forecast`] does, and refuses filtered runs that have not begun and would outlive the account's
/// subscription.
///
/// The run that goes last is refused first, until the others are done in time. Each refused run comes with its forecast
/// end.
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
            let at_once = run.orders.at(now).is_some_and(|order| order.order.action == Action::Start);
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

/// Forecasts from `now` on.
///
/// `runs` are in the order in which their campaigns were created, and each group has a place in every run. The outlooks
/// are in the same order.
pub fn forecast(account: &Account<'_>, runs: &[Run<'_>], groups: Vec<Group>, now: Timestamp) -> Vec<Outlook> {
    lane::Lane::new(account, runs, groups, now).run(now + HORIZON)
}
