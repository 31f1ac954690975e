//! Events that are written one by one or few at a time, in the transaction of what they tell of. Those of runs come with
//! the statements that move runs.

use sqlx::PgConnection;

use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::event::EventKind;
use crate::store::Error;

/// Stands for all accounts where a number is needed: theirs begin at 1.
const EVERY_ACCOUNT: i32 = 0;

/// Something that happened.
#[derive(Debug, Clone)]
pub(in crate::store) struct Event {
    pub(in crate::store) kind: EventKind,
    /// `None`: all, or none in particular.
    pub(in crate::store) account: Option<AccountId>,
    pub(in crate::store) campaign: Option<CampaignId>,
    /// Whose doing it is, if that is known.
    pub(in crate::store) actor: Option<String>,
    pub(in crate::store) before: Option<String>,
    pub(in crate::store) after: Option<String>,
    /// In the words of the actor.
    pub(in crate::store) reason: Option<String>,
    pub(in crate::store) sentence: String,
    pub(in crate::store) revision: Option<i32>,
}

impl Event {
    /// About no account, no campaign and no revision.
    pub(in crate::store) fn new(kind: EventKind, actor: Option<&str>, sentence: String) -> Self {
        let actor = actor.map(str::to_owned);
        let (account, campaign, revision) = (None, None, None);
        Self { kind, account, campaign, actor, before: None, after: None, reason: None, sentence, revision }
    }
}

/// Writes `events` at `now`, in their order.
pub(in crate::store) async fn tell(tx: &mut PgConnection, events: &[Event], now: Timestamp) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let account = |event: &Event| event.account.map_or(EVERY_ACCOUNT, |account| account.0);
    sqlx::query(
        "insert into event (account_id, campaign_id, at, kind, actor, before, after, reason, message, revision_id)
         select account_id, campaign_id, $10, kind, actor, before, after, reason, message, revision_id
         from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::int[]) with ordinality
              as u (account_id, campaign_id, kind, actor, before, after, reason, message, revision_id, place)
         order by place",
    )
    .bind(events.iter().map(account).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.campaign.map(|campaign| campaign.0)).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.actor.as_deref()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.before.as_deref()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.after.as_deref()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.reason.as_deref()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.sentence.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.revision).collect::<Vec<_>>())
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("write the log"))?;
    Ok(())
}
