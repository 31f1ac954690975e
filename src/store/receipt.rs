//! Receipts: what became of a message after the provider took it, told by the provider, sooner or later or never, twice
//! or in any order.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::claim::Keys;
use super::rows::{decode, strange};
use super::{Error, Store};
use crate::domain::{AccountId, CampaignId, MessageKey, ReferralId, TargetKey, Timestamp};
use crate::lifecycle::message::{Event, State, step};

/// What a provider says of a message it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub key: MessageKey,
    pub status: ReceiptStatus,
    /// When it happened, by the provider's clock.
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptStatus {
    Delivered,
    Read,
    Failed { error: String },
}

impl Store {
    /// Notes `receipts`, in one transaction. Returns how many messages came further; what is no progress changes
    /// nothing, and messages that nobody handed over are passed over.
    ///
    /// A receipt may come before the outcome of the hand-over it is about, which then adds what the receipt does not say.
    /// One that is ahead of `now` counts as of `now`.
    pub async fn receipts(&self, receipts: &[Receipt], now: Timestamp) -> Result<u64, Error> {
        let mut in_order: Vec<&Receipt> = receipts.iter().collect();
        in_order.sort_by_key(|receipt| receipt.at);
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to note receipts"))?;
        let states = lock_messages(&mut tx, receipts.iter().map(|receipt| receipt.key)).await?;
        let mut progress: BTreeMap<MessageKey, Progress<'_>> = BTreeMap::new();
        for receipt in in_order {
            let Some(stored) = states.get(&receipt.key) else { continue };
            let state = progress.get(&receipt.key).map_or(*stored, |progress| progress.state);
            if let Ok(state) = step(state, receipt.status.event()) {
                progress.entry(receipt.key).or_insert(Progress::from(state)).note(state, receipt, now);
            }
        }
        save(&mut tx, &progress).await?;
        tx.commit().await.map_err(Error::during("commit receipts"))?;
        Ok(progress.len() as u64)
    }
}

impl ReceiptStatus {
    fn event(&self) -> Event {
        match self {
            Self::Delivered => Event::DeliveryReceipt,
            Self::Read => Event::ReadReceipt,
            Self::Failed { .. } => Event::FailureReceipt,
        }
    }
}

/// How far a message came by a batch of receipts.
#[derive(Debug)]
struct Progress<'a> {
    state: State,
    delivered_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    error: Option<&'a str>,
}

impl<'a> Progress<'a> {
    fn from(state: State) -> Self {
        Self { state, delivered_at: None, read_at: None, error: None }
    }

    fn note(&mut self, state: State, receipt: &'a Receipt, now: Timestamp) {
        let at = receipt.at.min(now);
        self.state = state;
        self.error = None;
        match &receipt.status {
            ReceiptStatus::Delivered => self.delivered_at = Some(at),
            // What was read was delivered, though nobody said so.
            ReceiptStatus::Read => {
                self.delivered_at = self.delivered_at.or(Some(at));
                self.read_at = Some(at);
            }
            ReceiptStatus::Failed { error } => self.error = Some(error),
        }
    }
}

/// Locks the messages in the order of their keys, as whoever saves outcomes: two who wait for each other's messages would
/// wait for ever.
pub(super) async fn lock_messages(
    tx: &mut PgConnection,
    messages: impl Iterator<Item = MessageKey>,
) -> Result<BTreeMap<MessageKey, State>, Error> {
    const OPERATION: &str = "lock messages";
    let (targets, days): (Vec<TargetKey>, Vec<i16>) = messages.map(|key| (key.target, key.day)).unzip();
    let keys: Keys = targets.into_iter().collect();
    let rows: Vec<(i32, i32, i64, i16, String)> = sqlx::query_as(
        "select m.account_id, m.campaign_id, m.referral_id, m.day, m.state
         from (select distinct * from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[])
                 as u (account_id, campaign_id, referral_id, day)) u
         join message m on (m.account_id, m.referral_id, m.campaign_id, m.day)
                         = (u.account_id, u.referral_id, u.campaign_id, u.day)
         order by m.account_id, m.campaign_id, m.referral_id, m.day for update of m",
    )
    .bind(keys.accounts)
    .bind(keys.campaigns)
    .bind(keys.referrals)
    .bind(days)
    .fetch_all(tx)
    .await
    .map_err(Error::during(OPERATION))?;
    rows.into_iter()
        .map(|(account, campaign, referral, day, state)| {
            let (account, campaign) = (AccountId(account), CampaignId(campaign));
            let target = TargetKey { account, campaign, referral: ReferralId(referral) };
            let state = State::parse(&state).ok_or_else(|| strange("the state of a message", &state))?;
            Ok((MessageKey { target, day }, state))
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(decode(OPERATION))
}

async fn save(tx: &mut PgConnection, progress: &BTreeMap<MessageKey, Progress<'_>>) -> Result<(), Error> {
    let keys: Keys = progress.keys().map(|key| key.target).collect();
    sqlx::query(
        "update message m
         set state = u.state, sent_at = coalesce(m.sent_at, u.delivered_at), error = u.error,
             delivered_at = coalesce(m.delivered_at, u.delivered_at), read_at = coalesce(m.read_at, u.read_at)
         from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                     $8::text[])
              as u (account_id, campaign_id, referral_id, day, state, delivered_at, read_at, error)
         where (m.account_id, m.referral_id, m.campaign_id, m.day)
             = (u.account_id, u.referral_id, u.campaign_id, u.day)",
    )
    .bind(keys.accounts)
    .bind(keys.campaigns)
    .bind(keys.referrals)
    .bind(progress.keys().map(|key| key.day).collect::<Vec<_>>())
    .bind(progress.values().map(|progress| progress.state.as_str()).collect::<Vec<_>>())
    .bind(progress.values().map(|progress| progress.delivered_at).collect::<Vec<_>>())
    .bind(progress.values().map(|progress| progress.read_at).collect::<Vec<_>>())
    .bind(progress.values().map(|progress| progress.error).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::during("save receipts"))?;
    Ok(())
}
