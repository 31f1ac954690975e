//! Facts that arrive one by one, from the world outside: what an import would say later, as soon as it is so.
//!
//! They take the locks of an import and wake whom an import wakes. What an event says is as of the moment it was
//! recorded: an export that is older does not undo it. A payment is never taken back by an event.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::core::domain::{AccountId, ReferralId, Timestamp};
use crate::store::lock::{lock_imports, lock_lanes};
use crate::store::schedule::wake::wake;
use crate::store::{Error, Store};

/// Something that became so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactEvent {
    /// The referral has paid, at that instant.
    Paid { account: AccountId, referral: ReferralId, at: Timestamp },
    /// The subscription of the account ends then, was renewed until then, or has no end.
    SubscriptionEnds { account: AccountId, at: Option<Timestamp> },
    /// The sending identity of the account came or went.
    Connection { account: AccountId, connected: bool },
}

impl Store {
    /// Records `events`, in one transaction. Returns how many accounts and referrals are not as they were; who is
    /// unknown is passed over.
    ///
    /// Of several events about one fact the last counts, of several payments the first. Recording the same again
    /// changes nothing and wakes nobody.
    pub async fn record(&self, events: &[FactEvent], now: Timestamp) -> Result<u64, Error> {
        let facts = Facts::of(events);
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to record facts"))?;
        lock_imports(&mut tx).await?;
        let mut touched = facts.save_payments(&mut tx, now).await?;
        touched.extend(facts.save_subscriptions(&mut tx, now).await?);
        touched.extend(facts.save_connections(&mut tx, now).await?);
        let changed = touched.len() as u64;
        touched.sort_unstable();
        touched.dedup();
        lock_lanes(&mut tx, &touched.iter().copied().map(AccountId).collect::<Vec<_>>()).await?;
        wake(&mut tx, &touched, now).await?;
        tx.commit().await.map_err(Error::during("commit facts"))?;
        Ok(changed)
    }
}

/// What a batch of events comes to, fact by fact.
#[derive(Debug, Default)]
struct Facts {
    payments: BTreeMap<(AccountId, ReferralId), Timestamp>,
    subscriptions: BTreeMap<AccountId, Option<Timestamp>>,
    connections: BTreeMap<AccountId, bool>,
}

impl Facts {
    fn of(events: &[FactEvent]) -> Self {
        let mut facts = Self::default();
        for event in events {
            match *event {
                FactEvent::Paid { account, referral, at } => {
                    facts.payments.entry((account, referral)).and_modify(|first| *first = at.min(*first)).or_insert(at);
                }
                FactEvent::SubscriptionEnds { account, at } => {
                    facts.subscriptions.insert(account, at);
                }
                FactEvent::Connection { account, connected } => {
                    facts.connections.insert(account, connected);
                }
            }
        }
        facts
    }

    /// Returns the account of every referral whose payment is news.
    async fn save_payments(&self, tx: &mut PgConnection, now: Timestamp) -> Result<Vec<i32>, Error> {
        let rows: Vec<(i32, bool)> = sqlx::query_as(
            "update referral r set paid_at = least(r.paid_at, u.at), paid_as_of = greatest(r.paid_as_of, $4)
             from unnest($1::int[], $2::bigint[], $3::timestamptz[]) as u (account_id, id, at)
             join referral before on (before.account_id, before.id) = (u.account_id, u.id)
             where (r.account_id, r.id) = (u.account_id, u.id)
               and (r.paid_at is null or r.paid_at > u.at or r.paid_as_of is null or r.paid_as_of < $4)
             returning r.account_id, before.paid_at is distinct from r.paid_at",
        )
        .bind(self.payments.keys().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(self.payments.keys().map(|(_, referral)| referral.0).collect::<Vec<_>>())
        .bind(self.payments.values().copied().collect::<Vec<_>>())
        .bind(now)
        .fetch_all(tx)
        .await
        .map_err(Error::during("record payments"))?;
        Ok(news(rows))
    }

    /// Returns every account whose subscription is not what it was.
    async fn save_subscriptions(&self, tx: &mut PgConnection, now: Timestamp) -> Result<Vec<i32>, Error> {
        let rows: Vec<(i32, bool)> = sqlx::query_as(
            "update account a set subscription_ends_at = u.at, subscription_as_of = greatest(a.subscription_as_of, $3)
             from unnest($1::int[], $2::timestamptz[]) as u (id, at) join account before on before.id = u.id
             where a.id = u.id and (a.subscription_ends_at is distinct from u.at or a.subscription_as_of is null
                                    or a.subscription_as_of < $3)
             returning a.id, before.subscription_ends_at is distinct from a.subscription_ends_at",
        )
        .bind(self.subscriptions.keys().map(|account| account.0).collect::<Vec<_>>())
        .bind(self.subscriptions.values().copied().collect::<Vec<_>>())
        .bind(now)
        .fetch_all(tx)
        .await
        .map_err(Error::during("record subscriptions"))?;
        Ok(news(rows))
    }

    /// Returns every account that can send again, or no more. One that says `expired` knows better why it cannot.
    async fn save_connections(&self, tx: &mut PgConnection, now: Timestamp) -> Result<Vec<i32>, Error> {
        let rows: Vec<(i32, bool)> = sqlx::query_as(
            "update account a set whatsapp_status = u.status, whatsapp_as_of = greatest(a.whatsapp_as_of, $3)
             from (select before.id, before.whatsapp_status as was,
                          case when u.connected then 'connected' when before.whatsapp_status = 'expired' then 'expired'
                               else 'disconnected' end as status
                   from unnest($1::int[], $2::boolean[]) as u (id, connected) join account before using (id)) u
             where a.id = u.id and (a.whatsapp_status is distinct from u.status or a.whatsapp_as_of is null
                                    or a.whatsapp_as_of < $3)
             returning a.id, coalesce(u.was, 'connected') <> a.whatsapp_status",
        )
        .bind(self.connections.keys().map(|account| account.0).collect::<Vec<_>>())
        .bind(self.connections.values().copied().collect::<Vec<_>>())
        .bind(now)
        .fetch_all(tx)
        .await
        .map_err(Error::during("record connections"))?;
        Ok(news(rows))
    }
}

/// The accounts of rows that changed in more than their age.
fn news(rows: Vec<(i32, bool)>) -> Vec<i32> {
    rows.into_iter().filter_map(|(account, news)| news.then_some(account)).collect()
}
