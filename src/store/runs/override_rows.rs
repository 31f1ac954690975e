//! Overrides as rows: read for runs, and ended when they expire.

use sqlx::PgConnection;

use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::overrides::{Action, Override, Overrides, Scope, StandingOrder};
use crate::store::Error;
use crate::store::event::{Event, tell};
use crate::store::rows::decode;

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    account_id: Option<i32>,
    campaign_id: Option<i32>,
    #[sqlx(try_from = "String")]
    action: Action,
    actor: String,
    reason: String,
    until: Option<Timestamp>,
}

impl Row {
    fn order(self) -> Result<StandingOrder, sqlx::Error> {
        let Self { id, account_id, campaign_id, action, actor, reason, until } = self;
        let scope = Scope::of(account_id.map(AccountId), campaign_id.map(CampaignId));
        let scope = scope.ok_or_else(|| sqlx::Error::Decode("an override of everything".into()))?;
        Ok(StandingOrder { id, order: Override { scope, action, actor, reason, until } })
    }
}

/// Reads the overrides that may concern runs of `accounts`, including expired ones.
pub(in crate::store) async fn overrides_of(tx: &mut PgConnection, accounts: &[i32]) -> Result<Overrides, Error> {
    const OPERATION: &str = "read the overrides";
    let rows: Vec<Row> = sqlx::query_as(
        "select id, account_id, campaign_id, action, actor, reason, until from override
         where account_id is null or account_id = any($1)",
    )
    .bind(accounts)
    .fetch_all(tx)
    .await
    .map_err(Error::during(OPERATION))?;
    rows.into_iter().map(Row::order).collect::<Result<_, sqlx::Error>>().map_err(decode(OPERATION))
}

pub(in crate::store) async fn find(
    tx: &mut PgConnection,
    scope: Scope,
    now: Timestamp,
) -> Result<Option<StandingOrder>, Error> {
    const OPERATION: &str = "read an override";
    let row: Option<Row> = sqlx::query_as(
        "select id, account_id, campaign_id, action, actor, reason, until from override
         where coalesce(account_id, 0) = coalesce($1, 0) and coalesce(campaign_id, 0) = coalesce($2, 0)
           and (until is null or until > $3)",
    )
    .bind(scope.account().map(|account| account.0))
    .bind(scope.campaign().map(|campaign| campaign.0))
    .bind(now)
    .fetch_optional(tx)
    .await
    .map_err(Error::during(OPERATION))?;
    row.map(Row::order).transpose().map_err(decode(OPERATION))
}

/// Logs expired overrides, each once.
pub(in crate::store) async fn end_overrides(tx: &mut PgConnection, now: Timestamp) -> Result<(), Error> {
    const OPERATION: &str = "end expired overrides";
    let rows: Vec<Row> = sqlx::query_as(
        "update override set is_over = true where until <= $1 and not is_over
         returning id, account_id, campaign_id, action, actor, reason, until",
    )
    .bind(now)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during(OPERATION))?;
    let ended: Vec<StandingOrder> =
        rows.into_iter().map(Row::order).collect::<Result<_, sqlx::Error>>().map_err(decode(OPERATION))?;
    let event = |ended: &StandingOrder| Event {
        account: ended.order.scope.account(),
        campaign: ended.order.scope.campaign(),
        before: Some(ended.order.action.to_string()),
        ..Event::new(EventKind::OverrideExpired, None, Detail::OrderExpired { order: Box::new(ended.detail()) })
    };
    tell(tx, &ended.iter().map(event).collect::<Vec<_>>(), now).await
}
