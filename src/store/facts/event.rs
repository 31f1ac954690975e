//! Facts that arrive as single events: they record at once what a later import would contain.
//!
//! People who paid leave at once. Events take the locks of an import and wake the same runs. An event counts as of the moment it was recorded: an
//! older export does not undo it. An event never takes back a payment.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{paid, payment};
use crate::core::domain::{AccountId, ReferralId, Timestamp};
use crate::store::lock::{lock_imports, lock_lanes};
use crate::store::schedule::wake::wake;
use crate::store::{Error, Store};

/// A change of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactEvent {
    /// The referral has paid, at that instant.
    Paid { account: AccountId, referral: ReferralId, at: Timestamp },
    /// The subscription ends at this instant, by its first or a renewed term; `None`: it has no end.
    SubscriptionEnds { account: AccountId, at: Option<Timestamp> },
    /// The account's sender was connected or disconnected.
    Connection { account: AccountId, connected: bool },
}

impl Store {
    /// Records `events`, in one transaction. Returns the number of accounts and referrals that changed; unknown ones
    /// are ignored.
    ///
    /// The last of several events about one fact counts, and the first of several payments. Recording the same event
    /// again changes nothing and wakes no run.
    pub async fn record(&self, events: &[FactEvent], now: Timestamp) -> Result<u64, Error> {
        let facts = Facts::of(events);
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to record facts"))?;
        lock_imports(&mut tx).await?;
        let mut touched = facts.save_payments(&mut tx, now).await?;
        let paid: Vec<_> = facts.payments.keys().copied().collect();
        let shared = payment::share(&mut tx, &paid).await?;
        touched.extend(facts.save_subscriptions(&mut tx, now).await?);
        touched.extend(facts.save_connections(&mut tx, now).await?);
        let changed = touched.len() as u64;
        touched.extend(shared.iter().map(|(account, _)| *account));
        touched.sort_unstable();
        touched.dedup();
        lock_lanes(&mut tx, &touched.iter().copied().map(AccountId).collect::<Vec<_>>()).await?;
        paid::leave(&mut tx, facts.payers().chain(shared).unzip(), now).await?;
        wake(&mut tx, &touched, now).await?;
        tx.commit().await.map_err(Error::during("commit facts"))?;
        Ok(changed)
    }
}

/// The combined changes of a batch of events, fact by fact.
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

    /// Returns the people who paid, as accounts and referrals.
    fn payers(&self) -> impl Iterator<Item = (i32, i64)> {
        self.payments.keys().map(|(account, referral)| (account.0, referral.0))
    }

    /// Returns the account of every referral whose payment is new.
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

    /// Returns every account whose subscription changed.
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

    /// Returns every account that can send again, or no longer. The status `expired` is more exact and stays.
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

/// Returns the accounts of rows that changed in more than their age.
fn news(rows: Vec<(i32, bool)>) -> Vec<i32> {
    rows.into_iter().filter_map(|(account, news)| news.then_some(account)).collect()
}
