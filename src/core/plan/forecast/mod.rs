//! The forecast of one account: when each run begins and ends, and how many messages are sent each day.
//!
//! The forecast is pure and made to look years ahead. People in the same situation form one [`Group`], and messages are
//! counted in strides. A day costs as much as it has groups to send to, however many people are in them. The forecast
//! never decides what is allowed. It uses the production rules: the gate for people, the lifecycle for phases, the
//! cadence for due times and the pacing for speed.
//!
//! The forecast contains only what follows from the present state. Nobody pays, answers, registers or has a birthday;
//! every attempt succeeds; nobody edits anything; a subscription that ends is not renewed.

mod agenda;
mod crowd;
mod lane;
mod next_message;
mod outlook;
mod run;
mod state;
#[cfg(test)]
mod tests;
mod total;

use std::collections::BTreeMap;

use chrono::TimeDelta;

pub use self::crowd::{Group, Place};
pub use self::next_message::{NextMessage, Wait, Watch, next_message};
pub use self::outlook::{Endless, Finish, Foreseen, Limit, Outlook};
pub use self::run::{Account, Run};
pub use self::total::Total;
use crate::core::domain::{NaiveDate, Timestamp};
use crate::core::lifecycle::overrides::Action;
use crate::core::manifest::desired::{CampaignType, PastSubscription};

/// The farthest end of a forecast.
const HORIZON: TimeDelta = TimeDelta::days(3_653);

/// The forecast of an account up to the end of its subscription.
#[derive(Debug, Default)]
pub struct Admitted {
    pub outlooks: Vec<Outlook>,
    /// The runs that do not begin, because they would outlive the subscription; each with the end that it would have.
    pub refused: BTreeMap<usize, Finish>,
    /// The runs that pause when the subscription ends; each with the end that it would have otherwise.
    pub pausing: BTreeMap<usize, Finish>,
}

/// Forecasts as [`forecast`] does, and refuses filtered runs that have not begun and would outlive the account's
/// subscription. All other runs stop when it ends.
///
/// The run that goes last is refused first, until the others are done in time.
pub fn admit(account: &Account<'_>, runs: &[Run<'_>], groups: &[Group], now: Timestamp) -> Admitted {
    let mut runs = runs.to_vec();
    let mut refused = BTreeMap::new();
    loop {
        let outlooks = forecast(account, &runs, groups.to_vec(), now);
        let Some(end) = account.facts.subscription_ends_at.filter(|end| *end > now) else {
            return Admitted { outlooks, refused, ..Admitted::default() };
        };
        let outlives = |at: &usize| {
            let run = &runs[*at];
            let at_once = run.orders.at(now).is_some_and(|order| order.order.action == Action::Start);
            let asked =
                !at_once && !run.started && !run.refused && run.spec.past_subscription == PastSubscription::Refuse;
            asked && outlooks[*at].outlives(end)
        };
        let Some(last) = (0..runs.len()).filter(outlives).max_by_key(|at| (runs[*at].spec.priority, *at)) else {
            let pausing = pausing(&outlooks, &runs, account.zone.date(end), end);
            let goes_on =
                |outlook: &Outlook| outlook.messages.keys().last().is_some_and(|day| *day >= account.zone.date(end));
            if pausing.is_empty() && !outlooks.iter().any(goes_on) {
                return Admitted { outlooks, refused, pausing };
            }
            let outlooks =
                lane::Lane::new(account, &runs, groups.to_vec(), now).until_subscription_ends().run(now + HORIZON);
            return Admitted { outlooks, refused, pausing };
        };
        refused.insert(last, outlooks[last].finish);
        runs[last].refused = true;
    }
}

/// Returns the runs that would go on after `end`, the end of the subscription. A default run that enrolls for ever counts
/// only if it has messages for that time.
fn pausing(outlooks: &[Outlook], runs: &[Run<'_>], end_on: NaiveDate, end: Timestamp) -> BTreeMap<usize, Finish> {
    let goes_on = |(at, outlook): &(usize, &Outlook)| {
        let late = outlook.messages.keys().last().is_some_and(|day| *day >= end_on);
        outlook.outlives(end) && (late || runs[*at].spec.kind == CampaignType::Filtered)
    };
    outlooks.iter().enumerate().filter(goes_on).map(|(at, outlook)| (at, outlook.finish)).collect()
}

/// Forecasts from `now` on, as if the account's subscription were renewed.
///
/// `runs` are in the order in which their campaigns were created, and each group has a place in every run. The outlooks
/// are in the same order.
pub fn forecast(account: &Account<'_>, runs: &[Run<'_>], groups: Vec<Group>, now: Timestamp) -> Vec<Outlook> {
    lane::Lane::new(account, runs, groups, now).run(now + HORIZON)
}
