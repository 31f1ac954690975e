//! Failure receipts: effects of a failure that a provider reports for a message it had accepted.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::provider_receipt::{Receipt, ReceiptStatus};
use super::suppression::Listed;
use crate::core::domain::{MessageKey, Phone, Timestamp};
use crate::core::lifecycle::outcome::{Consequence, Refusal, failed_later};
use crate::store::keys::Keys;
use crate::store::schedule::wake::{Changed, look_again};
use crate::store::send::refusal::{Counts, Refused, take_effect};
use crate::store::send::target_rows::{TargetRow, TargetRows};
use crate::store::{Error, Store};

/// A receipt that reports a failure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure<'a> {
    pub(super) receipt: &'a Receipt,
    refusal: &'a Refusal,
}

/// Returns the failures among `receipts`, the first of each message.
pub(super) fn failures(receipts: &[Receipt]) -> Vec<Failure<'_>> {
    let mut of: BTreeMap<MessageKey, Failure<'_>> = BTreeMap::new();
    for receipt in receipts {
        if let ReceiptStatus::Failed(refusal) = &receipt.status {
            of.entry(receipt.key).or_insert(Failure { receipt, refusal });
        }
    }
    of.into_values().collect()
}

impl Store {
    /// Suppresses people who, by the provider's report, refuse messages. This comes first and in its own transaction,
    /// as for outcomes: after a crash the people are suppressed, and the provider repeats the receipt.
    pub(super) async fn suppress_failed(&self, failures: &[Failure<'_>], now: Timestamp) -> Result<(), Error> {
        let mut by_reason: BTreeMap<&str, Vec<&Receipt>> = BTreeMap::new();
        for Failure { receipt, refusal } in failures {
            if failed_later(refusal.reaction).1 == Some(Consequence::Suppress) {
                by_reason.entry(&refusal.error).or_default().push(*receipt);
            }
        }
        for (reason, receipts) in by_reason {
            let phones: BTreeSet<Phone> =
                self.phones_of(&receipts).await?.iter().map(|phone| Phone::dialled_as(phone)).collect();
            self.suppress(&phones, Listed::ByProvider, Some(reason), now).await?;
        }
        Ok(())
    }

    /// Returns the phones of the messages in `receipts` that have not failed yet and carry the same provider id. Erased
    /// people have no phone any more.
    async fn phones_of(&self, receipts: &[&Receipt]) -> Result<Vec<String>, Error> {
        let keys: Keys = receipts.iter().map(|receipt| receipt.key.target).collect();
        sqlx::query_scalar(
            "select distinct m.phone
             from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[])
                    as u (account_id, campaign_id, referral_id, day, provider_id)
             join message m on (m.account_id, m.referral_id, m.campaign_id, m.day)
                             = (u.account_id, u.referral_id, u.campaign_id, u.day)
             where m.state in ('sending', 'sent', 'delivered', 'uncertain') and m.phone <> ''
               and coalesce(m.provider_id = u.provider_id, true)",
        )
        .bind(keys.accounts)
        .bind(keys.campaigns)
        .bind(keys.referrals)
        .bind(receipts.iter().map(|receipt| receipt.key.day).collect::<Vec<_>>())
        .bind(receipts.iter().map(|receipt| receipt.provider_id.as_deref()).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("look for the phones of receipts"))
    }
}

/// A failure that is new for its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct News<'a> {
    pub(super) failure: Failure<'a>,
    pub(super) at: Timestamp,
    /// The time of the hand-over.
    pub(super) handed_at: Timestamp,
}

/// Applies the effects of `failures`. The lanes are locked.
pub(super) async fn have_effect(tx: &mut PgConnection, failures: &[News<'_>], now: Timestamp) -> Result<(), Error> {
    let (mut targets, mut changed, mut refused) = (TargetRows::default(), Changed::default(), Vec::new());
    for News { failure: Failure { receipt, refusal }, at, handed_at } in failures {
        let key = receipt.key.target;
        let (exit, consequence) = failed_later(refusal.reaction);
        if let Some(exit) = exit {
            targets.push(key, TargetRow::Exited(exit), *at);
            changed.keys.push(key);
            changed.at.push(now);
            changed.gave_back.push(false);
        }
        refused.push(Refused {
            run: (key.account, key.campaign),
            channel: receipt.channel.as_deref(),
            // A receipt does not name the template of the message.
            template: None,
            error: &refusal.error,
            consequence,
            handed_at: *handed_at,
            // The message left, whatever a later receipt says.
            counts: Counts::of(true, refusal.reaction),
        });
    }
    targets.save(tx).await?;
    look_again(tx, changed).await?;
    take_effect(tx, &refused, now).await
}
