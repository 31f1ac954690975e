//! Queue successors: the few runs behind a changed one that the change affects.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::look::Look;
use crate::core::domain::{AccountId, CampaignId};
use crate::core::lifecycle::ordering::Order;
use crate::core::lifecycle::run::Reason;
use crate::store::Error;

/// Returns the runs that may now be first in their queue, or that directly follow a changed run. `seen` returns true
/// for runs examined in the same pass: successors among them were examined later.
pub(super) async fn next_in_queues<'a>(
    tx: &mut PgConnection,
    changed: impl Iterator<Item = &'a Look>,
    order: &Order,
    seen: impl Fn(AccountId, CampaignId) -> bool,
) -> Result<Vec<(i32, i32)>, Error> {
    // An account and a queue; with a place, asks for its follower; without one, for the first in the queue.
    let mut asked: BTreeSet<(i32, usize, Option<usize>)> = BTreeSet::new();
    for look in changed {
        let Some((queue, place)) = order.place(look.campaign) else { continue };
        let follower = order.queues()[queue].campaigns.get(place + 1);
        if follower.is_some_and(|follower| !seen(look.account, *follower)) {
            asked.insert((look.account.0, queue, Some(place)));
        }
        if look.after.phase.is_final() || look.after.reason == Reason::WaitingForPeople {
            asked.insert((look.account.0, queue, None));
        }
    }
    if asked.is_empty() {
        return Ok(vec![]);
    }
    let named: BTreeSet<usize> = asked.iter().map(|(_, queue, _)| *queue).collect();
    let orders = named.into_iter().map(|at| {
        let queue = &order.queues()[at];
        let campaigns: Vec<i32> = queue.campaigns.iter().map(|id| id.0).collect();
        json!({"id": at, "campaigns": campaigns, "most": queue.parallelism})
    });
    let number = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
    sqlx::query_as(include_str!("next_in_queues.sql"))
        .bind(Value::Array(orders.collect()))
        .bind(asked.iter().map(|(account, ..)| *account).collect::<Vec<_>>())
        .bind(asked.iter().map(|(_, queue, _)| number(*queue)).collect::<Vec<_>>())
        .bind(asked.iter().map(|(.., place)| place.map(number)).collect::<Vec<_>>())
        .fetch_all(tx)
        .await
        .map_err(Error::during("find the next run of a queue"))
}
