//! Overrides as text, one line each.

use super::table::{one_line, time};
use crate::store::query::Override;

/// Renders the overrides in effect, one line each; empty without any.
pub(super) fn lines(overrides: &[Override]) -> String {
    let line = |order: &Override| {
        let what = match (&order.campaign, &order.account) {
            (Some(campaign), Some(account)) => format!("{campaign} for account {account}"),
            (Some(campaign), None) => campaign.clone(),
            (None, account) => format!("every campaign of account {}", account.as_deref().unwrap_or_default()),
        };
        let until = order.until.map_or_else(String::new, |until| format!(", until {}", time(until)));
        let (actor, since) = (one_line(&order.actor), time(order.created_at));
        format!("! {:<7} {what}, by {actor} since {since}{until}: {}", order.action, one_line(&order.reason))
    };
    overrides.iter().map(line).collect::<Vec<_>>().join("\n")
}
