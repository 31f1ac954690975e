//! Events written singly or in small numbers, in the transaction of their cause. Events of runs are written by the
//! statements that advance runs.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::Error;
use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;

/// Stands for all accounts where an id is needed: real ids begin at 1.
const EVERY_ACCOUNT: i32 = 0;

/// An event of the log.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    /// `None`: all accounts, or none in particular.
    pub(super) account: Option<AccountId>,
    pub(super) campaign: Option<CampaignId>,
    /// The author of the change, if known.
    pub(super) actor: Option<String>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    /// The actor's own words.
    pub(super) reason: Option<String>,
    pub(super) detail: Detail,
    pub(super) revision: Option<i32>,
}

impl Event {
    /// Creates an event about no account, no campaign and no revision.
    pub(super) fn new(kind: EventKind, actor: Option<&str>, detail: Detail) -> Self {
        let actor = actor.map(str::to_owned);
        let (account, campaign, revision) = (None, None, None);
        Self { kind, account, campaign, actor, before: None, after: None, reason: None, detail, revision }
    }
}

/// Writes `events` at `now`, in order.
pub(super) async fn tell(tx: &mut PgConnection, events: &[Event], now: Timestamp) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let account = |event: &Event| event.account.map_or(EVERY_ACCOUNT, |account| account.0);
    sqlx::query(
        "insert into event (account_id, campaign_id, at, kind, actor, before, after, reason, detail, revision_id)
         select account_id, campaign_id, $10, kind, actor, before, after, reason, detail, revision_id
         from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[],
                     $9::int[]) with ordinality
              as u (account_id, campaign_id, kind, actor, before, after, reason, detail, revision_id, place)
         order by place",
    )
    .bind(events.iter().map(account).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.campaign.map(|campaign| campaign.0)).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.actor.as_deref()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.before.as_deref()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.after.as_deref()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.reason.as_deref()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| Json(&event.detail)).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.revision).collect::<Vec<_>>())
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("write events"))?;
    Ok(())
}
