//! Leases: returned with the outcomes, or expired when no outcome arrives.

use std::collections::{BTreeSet, HashSet};

use sqlx::PgConnection;

use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{MessageKey, Timestamp};
use crate::core::lifecycle::message::{Event, step};
use crate::core::lifecycle::outcome::{Outcome, OutcomeEffects};
use crate::store::columns::Batch;
use crate::store::keys::MessageKeyRow;
use crate::store::lock::{lock_lanes, lock_messages};
use crate::store::rows::message_key;
use crate::store::{Error, Store};

/// Leases examined in one pass.
const EXPIRED_LEASES: i64 = 100;

impl Store {
    /// Marks the messages of expired leases as `uncertain`, unless a receipt has already decided them, and lets their
    /// targets continue. Nothing is resent. Returns the number of messages that became uncertain.
    pub async fn expire_leases(&self, now: Timestamp) -> Result<u64, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to expire leases"))?;
        let lost: Vec<(i32, i32, i64, i16)> = sqlx::query_as(
            "with stale as (
               delete from lease where id in (
                 select id from lease where until <= $1 order by id limit $2 for update skip locked)
               returning account_ids, campaign_ids, referral_ids, days)
             select k.* from stale s, unnest(s.account_ids, s.campaign_ids, s.referral_ids, s.days)
               as k (account_id, campaign_id, referral_id, day)",
        )
        .bind(now)
        .bind(EXPIRED_LEASES)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("expire leases"))?;
        let lost: Vec<MessageKey> = lost.into_iter().map(message_key).collect();
        if lost.is_empty() {
            return Ok(0);
        }
        lock_lanes(&mut tx, &lost.iter().map(|key| key.target.account).collect::<Vec<_>>()).await?;
        let uncertain = doubt(&mut tx, &lost).await?;
        move_on(&mut tx, &lost, now).await?;
        tx.commit().await.map_err(Error::during("commit expired leases"))?;
        Ok(uncertain)
    }
}

/// Returns the leases that are still held; another process has already handled those that expired.
pub(in crate::store) async fn return_leases(
    tx: &mut PgConnection,
    settled: &[(&OutgoingMessage, &Outcome, OutcomeEffects)],
) -> Result<HashSet<i64>, Error> {
    let leases: BTreeSet<i64> = settled.iter().map(|(claimed, ..)| claimed.lease).collect();
    // The same order as in the expiry of leases.
    let ours: Vec<i64> = sqlx::query_scalar(
        "delete from lease where id in (select id from lease where id = any($1) order by id for update) returning id",
    )
    .bind(leases.into_iter().collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("return leases"))?;
    Ok(ours.into_iter().collect())
}

const DOUBT: Batch<MessageKeyRow> = Batch::of(
    "update message m set state = 'uncertain', error = 'no outcome was recorded'
     from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[])
          as u (account_id, campaign_id, referral_id, day)
     where (m.account_id, m.referral_id, m.campaign_id, m.day)
         = (u.account_id, u.referral_id, u.campaign_id, u.day)",
);

const MOVE_ON: Batch<MessageKeyRow> = Batch::of(include_str!("lease_move_on.sql"));

/// Marks lost messages without any receipt as `uncertain`. The lanes are locked.
async fn doubt(tx: &mut PgConnection, keys: &[MessageKey]) -> Result<u64, Error> {
    let states = lock_messages(tx, keys.iter().copied()).await?;
    let silent: Vec<MessageKey> =
        states.into_iter().filter(|(_, state)| step(*state, Event::LeaseExpired).is_ok()).map(|(key, _)| key).collect();
    let doubted = DOUBT.query(silent.iter().copied().map(MessageKeyRow::from)).execute(tx).await;
    doubted.map_err(Error::during("mark messages as uncertain"))?;
    Ok(silent.len() as u64)
}

/// Completes the targets whose last message was lost; for the others the day counts as sent.
async fn move_on(tx: &mut PgConnection, keys: &[MessageKey], now: Timestamp) -> Result<(), Error> {
    let moved = MOVE_ON.query(keys.iter().copied().map(MessageKeyRow::from)).bind(now).execute(tx).await;
    moved.map(drop).map_err(Error::during("move targets of uncertain messages on"))
}
