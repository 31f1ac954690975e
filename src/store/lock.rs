//! Locks, and the order in which every transaction takes them.
//!
//! Transactions that take these locks in opposite orders deadlock. Each transaction therefore takes the locks it needs
//! in the order of this list, and locks the rows of one table in the order of their keys. An `update` or a `delete`
//! locks rows in any order, so a `select … order by … for update` goes before it.
//!
//! 1. The generation of the manifests, then the lease on reconciling. Only [`Store::apply`](super::Store::apply) takes
//!    both.
//! 2. The advisory lock of imports, then either that of suppressions or that of overrides.
//! 3. Inbound messages, conversations, suppressions, holds and confirmations.
//! 4. Leases, then lanes. The row of a lane is the lock of its account: it covers the account's runs and targets.
//! 5. Messages. The lane covers a message that waits for another attempt, so receipts do not lock it.
//! 6. Restricted channels.
//! 7. Provider names of messages and people (`provider_message`, `alias`).
//! 8. The key of a request of the HTTP API (`api_request`), right before the commit.
//! 9. The advisory lock of pending STOPs, shared by a claim just before its commit. A transaction that has it exclusively
//!    has no other lock and waits for none.
//!
//! Webhooks are locked in transactions of their own.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::Error;
use super::columns::Batch;
use super::keys::MessageKeyRow;
use super::rows::{decode, message_key, strange};
use crate::core::domain::{AccountId, CampaignId, MessageKey, Timestamp};
use crate::core::lifecycle::message::State;

/// Keys of the advisory locks; the upper bytes keep them apart from those of other programs.
const IMPORTS: i64 = 0x7265_6c61_6e63_6501;
const SUPPRESSIONS: i64 = 0x7265_6c61_6e63_6502;
const OVERRIDES: i64 = 0x7265_6c61_6e63_6503;
const PENDING_STOPS: i64 = 0x7265_6c61_6e63_6504;

/// Locks the imported facts until the commit: no other transaction merges an import or enrolls. Concurrent imports
/// could each miss the duplicates of the other.
pub(super) async fn lock_imports(tx: &mut PgConnection) -> Result<(), Error> {
    lock_advisory(tx, IMPORTS, "take the import lock").await
}

/// Keeps imports from merging until the commit; `false` when one merges at this moment.
pub(super) async fn try_share_imports(tx: &mut PgConnection) -> Result<bool, Error> {
    try_share_advisory(tx, IMPORTS, "share the import lock").await
}

/// Locks the suppressions until the commit: no other transaction changes one, except imports, and none enrolls.
pub(super) async fn lock_suppressions(tx: &mut PgConnection) -> Result<(), Error> {
    lock_advisory(tx, SUPPRESSIONS, "take the suppression lock").await
}

/// Keeps the suppressions as they are until the commit, except for imports.
pub(super) async fn share_suppressions(tx: &mut PgConnection) -> Result<(), Error> {
    share_advisory(tx, SUPPRESSIONS, "share the suppression lock").await
}

/// Keeps the suppressions as they are until the commit, except for imports; `false` when one changes at this moment.
pub(super) async fn try_share_suppressions(tx: &mut PgConnection) -> Result<bool, Error> {
    try_share_advisory(tx, SUPPRESSIONS, "share the suppression lock").await
}

/// Locks the pending STOPs until the commit: no claim commits meanwhile.
pub(super) async fn lock_pending_stops(tx: &mut PgConnection) -> Result<(), Error> {
    lock_advisory(tx, PENDING_STOPS, "take the lock of pending STOPs").await
}

/// Keeps the pending STOPs as they are until the commit, which must follow at once.
pub(super) async fn share_pending_stops(tx: &mut PgConnection) -> Result<(), Error> {
    share_advisory(tx, PENDING_STOPS, "share the lock of pending STOPs").await
}

/// Locks the overrides until the commit: no other transaction changes one, or advances runs.
pub(super) async fn lock_overrides(tx: &mut PgConnection) -> Result<(), Error> {
    lock_advisory(tx, OVERRIDES, "take the override lock").await
}

/// Keeps the overrides as they are until the commit.
pub(super) async fn share_overrides(tx: &mut PgConnection) -> Result<(), Error> {
    share_advisory(tx, OVERRIDES, "share the override lock").await
}

/// Makes this the only transaction that enrolls for `campaign`; `false` when another one does.
pub(super) async fn try_lock_enrollment(tx: &mut PgConnection, campaign: CampaignId) -> Result<bool, Error> {
    sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtext('relance enroll'), $1)")
        .bind(campaign.0)
        .fetch_one(tx)
        .await
        .map_err(Error::during("lock the campaign"))
}

async fn lock_advisory(tx: &mut PgConnection, key: i64, operation: &'static str) -> Result<(), Error> {
    let locked = sqlx::query("select pg_advisory_xact_lock($1)").bind(key).execute(tx).await;
    locked.map(drop).map_err(Error::during(operation))
}

async fn share_advisory(tx: &mut PgConnection, key: i64, operation: &'static str) -> Result<(), Error> {
    let locked = sqlx::query("select pg_advisory_xact_lock_shared($1)").bind(key).execute(tx).await;
    locked.map(drop).map_err(Error::during(operation))
}

async fn try_share_advisory(tx: &mut PgConnection, key: i64, operation: &'static str) -> Result<bool, Error> {
    sqlx::query_scalar("select pg_try_advisory_xact_lock_shared($1)")
        .bind(key)
        .fetch_one(tx)
        .await
        .map_err(Error::during(operation))
}

/// Locks the suppressions of `phones`, which imports change without the advisory lock.
pub(super) async fn lock_suppression_rows(tx: &mut PgConnection, phones: &[&str]) -> Result<(), Error> {
    sqlx::query("select from suppression where phone = any($1) order by phone for update")
        .bind(phones)
        .execute(tx)
        .await
        .map_err(Error::during("lock suppressions"))?;
    Ok(())
}

/// Locks the lanes of `accounts`.
pub(super) async fn lock_lanes(tx: &mut PgConnection, accounts: &[AccountId]) -> Result<(), Error> {
    sqlx::query("select from lane where account_id = any($1) order by account_id for update")
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .execute(tx)
        .await
        .map_err(Error::during("lock the lanes"))?;
    Ok(())
}

/// Locks the lanes of an import: those of `accounts` and, with `duplicates`, those of every account in the table
/// `duplicate`. The claim skips these lanes until the commit.
pub(super) async fn lock_lanes_of_import(
    tx: &mut PgConnection,
    accounts: &[i32],
    duplicates: bool,
) -> Result<(), Error> {
    const LOCK: &str = "select from lane where account_id = any($1) order by account_id for no key update";
    const LOCK_WITH_TWINS: &str = "select from lane
        where account_id = any($1) or account_id in (select account_id from duplicate)
        order by account_id for no key update";
    let sql = if duplicates { LOCK_WITH_TWINS } else { LOCK };
    let locked = sqlx::query(sql).bind(accounts).persistent(false).execute(tx).await;
    locked.map(drop).map_err(Error::during("lock the lanes"))
}

/// A locked message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockedMessage {
    pub(super) state: State,
    pub(super) phone: String,
    pub(super) queued_at: Timestamp,
    pub(super) sent_at: Option<Timestamp>,
    pub(super) delivered_at: Option<Timestamp>,
    pub(super) read_at: Option<Timestamp>,
    pub(super) failed_at: Option<Timestamp>,
    pub(super) provider_id: Option<String>,
    pub(super) error: Option<String>,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    account_id: i32,
    campaign_id: i32,
    referral_id: i64,
    day: i16,
    state: String,
    phone: String,
    queued_at: Timestamp,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    provider_id: Option<String>,
    error: Option<String>,
}

impl Row {
    fn message(self) -> Result<(MessageKey, LockedMessage), sqlx::Error> {
        let key = message_key((self.account_id, self.campaign_id, self.referral_id, self.day));
        let state = State::parse(&self.state).ok_or_else(|| strange("the state of a message", &self.state))?;
        let Self { phone, queued_at, sent_at, delivered_at, read_at, failed_at, provider_id, error, .. } = self;
        Ok((
            key,
            LockedMessage { state, phone, queued_at, sent_at, delivered_at, read_at, failed_at, provider_id, error },
        ))
    }
}

/// Locks messages whose lanes are locked, and returns their states.
pub(super) async fn lock_messages(
    tx: &mut PgConnection,
    messages: impl Iterator<Item = MessageKey>,
) -> Result<BTreeMap<MessageKey, State>, Error> {
    Ok(lock(tx, messages, Which::All).await?.into_iter().map(|(key, message)| (key, message.state)).collect())
}

/// Locks messages except those that wait for another attempt, which their lanes cover.
pub(super) async fn lock_handed_over(
    tx: &mut PgConnection,
    messages: impl Iterator<Item = MessageKey>,
) -> Result<BTreeMap<MessageKey, LockedMessage>, Error> {
    lock(tx, messages, Which::HandedOver).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    HandedOver,
    All,
}

const LOCK: Batch<MessageKeyRow> = Batch::of(
    "select m.account_id, m.campaign_id, m.referral_id, m.day, m.state, m.phone, m.queued_at, m.sent_at, m.delivered_at,
            m.read_at, m.failed_at, m.provider_id, m.error
     from (select distinct * from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[])
             as u (account_id, campaign_id, referral_id, day)) u
     join message m on (m.account_id, m.referral_id, m.campaign_id, m.day)
                     = (u.account_id, u.referral_id, u.campaign_id, u.day)
     where $5 or m.state <> 'queued'
     order by m.account_id, m.campaign_id, m.referral_id, m.day for update of m",
);

async fn lock(
    tx: &mut PgConnection,
    messages: impl Iterator<Item = MessageKey>,
    which: Which,
) -> Result<BTreeMap<MessageKey, LockedMessage>, Error> {
    const OPERATION: &str = "lock messages";
    let rows: Vec<Row> = LOCK
        .query_as(messages.map(MessageKeyRow::from))
        .bind(which == Which::All)
        .fetch_all(tx)
        .await
        .map_err(Error::during(OPERATION))?;
    rows.into_iter().map(Row::message).collect::<Result<_, _>>().map_err(decode(OPERATION))
}
