//! Failure receipts: effects of a failure that a provider reports for a message it had accepted.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::provider_receipt::{Receipt, ReceiptStatus};
use super::suppression::Listed;
use crate::core::domain::{AccountId, CampaignId, MessageKey, Phone, ReferralId, Timestamp};
use crate::core::lifecycle::outcome::{Consequence, Refusal, failed_later};
use crate::core::lifecycle::target::Event;
use crate::store::columns::{Batch, columns};
use crate::store::schedule::wake::{Changed, look_again};
use crate::store::send::refusal::{Counts, Refused, take_effect};
use crate::store::send::target_rows::TargetRows;
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

columns! {
    /// A message that failed, by the provider's report.
    struct FailureRow<'a> {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
        provider_id: Option<&'a str>,
    }
}

const PHONES: Batch<FailureRow<'_>> = Batch::of(
    "select distinct m.phone
     from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[])
          as u (account_id, campaign_id, referral_id, day, provider_id)
     join message m on (m.account_id, m.referral_id, m.campaign_id, m.day)
                     = (u.account_id, u.referral_id, u.campaign_id, u.day)
     where m.state <> 'queued' and m.failed_at is null and m.phone <> ''
       and coalesce(m.provider_id = u.provider_id, true)",
);

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

    /// Returns the phones of the messages in `receipts` for which no failure was reported yet and that carry the same
    /// provider id. A message that arrived counts too: the report is the person's word, whatever became of the message.
    /// Erased people have no phone any more.
    async fn phones_of(&self, receipts: &[&Receipt]) -> Result<Vec<String>, Error> {
        let rows = receipts.iter().map(|receipt| FailureRow {
            account_id: receipt.key.target.account,
            campaign_id: receipt.key.target.campaign,
            referral_id: receipt.key.target.referral,
            day: receipt.key.day,
            provider_id: receipt.provider_id.as_deref(),
        });
        let phones = PHONES.query_scalar(rows).fetch_all(&self.pool).await;
        phones.map_err(Error::during("look for the phones of receipts"))
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
    let (mut targets, mut changed, mut refused) = (TargetRows::default(), Vec::new(), Vec::new());
    for News { failure: Failure { receipt, refusal }, at, handed_at } in failures {
        let key = receipt.key.target;
        let (exit, consequence) = failed_later(refusal.reaction);
        if let Some(exit) = exit {
            targets.push(key, Event::Left(exit), *at);
            changed.push(Changed::of(key, now, false));
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
