//! Receipts: provider reports on messages it accepted. They may come late, never, repeatedly, and in any order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::failed_receipt::{News, failures, have_effect};
use super::provider_message::{KnownAs, stored_name};
use super::provider_receipt::{Receipt, ReceiptStatus};
use super::{moved, provider_message};
use crate::core::domain::{AccountId, CampaignId, MessageKey, Phone, ReferralId, Timestamp};
use crate::core::lifecycle::message::{State, step};
use crate::store::columns::{Batch, columns};
use crate::store::lock::{LockedMessage, lock_handed_over, lock_lanes};
use crate::store::{Error, Store};

impl Store {
    /// Records `receipts`, in one transaction. Returns the number of messages whose record changed: a further state or
    /// an earlier instant. Ignores receipts for messages that were never handed over, for messages with another
    /// provider id, and receipts without an installation id for messages that have one: these come from another
    /// installation with the same key.
    ///
    /// A failure takes effect once: its person leaves, or a run, an account or a channel pauses. It never causes a resend.
    /// For a message that has arrived by then, a failure is recorded and nothing follows from it; only a person who
    /// refuses messages is still suppressed.
    ///
    /// The messages do not depend on the order, the batches or the repetition of receipts. A receipt may precede the
    /// outcome of its hand-over, which then adds what the receipt does not contain. A time after `now` counts as `now`,
    /// and a time before the hand-over counts as the hand-over.
    pub async fn receipts(&self, receipts: &[Receipt], now: Timestamp) -> Result<u64, Error> {
        if receipts.is_empty() {
            return Ok(0);
        }
        loop {
            let present = self.at_present(receipts).await?;
            if let Some(changed) = self.record_receipts(&present, now).await? {
                return Ok(changed);
            }
        }
    }

    /// Records receipts. Returns `None`, having written nothing, if an import has just moved one of their targets.
    async fn record_receipts(&self, receipts: &[Receipt], now: Timestamp) -> Result<Option<u64>, Error> {
        let receipts = &*self.meant(receipts).await?;
        let failures = failures(receipts);
        self.suppress_failed(&failures, now).await?;
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to save receipts"))?;
        // Lanes before messages, as everywhere.
        let accounts: BTreeSet<AccountId> = failures.iter().map(|failure| failure.receipt.key.target.account).collect();
        if !accounts.is_empty() {
            lock_lanes(&mut tx, &accounts.into_iter().collect::<Vec<_>>()).await?;
        }
        // A message that waits for a retry was certainly not accepted; it is changed under lane locks, in any order.
        let before = lock_handed_over(&mut tx, receipts.iter().map(|receipt| receipt.key)).await?;
        let missing: Vec<&Receipt> = receipts.iter().filter(|receipt| !before.contains_key(&receipt.key)).collect();
        if !missing.is_empty() && !moved::find(&mut tx, &missing).await?.is_empty() {
            return Ok(None);
        }
        let (mut known, mut known_as) = (before.clone(), Vec::new());
        for receipt in receipts {
            let Some(message) = known.get_mut(&receipt.key).filter(|message| message.is_meant(receipt)) else {
                continue;
            };
            message.note(receipt, now);
            known_as.extend(message.known_as(receipt));
        }
        known.retain(|key, message| before.get(key) != Some(message));
        save(&mut tx, &known).await?;
        let news = failures.iter().filter_map(|failure| {
            let key = &failure.receipt.key;
            let old = before.get(key).filter(|message| message.failed_at.is_none())?;
            let new = known.get(key).filter(|message| message.state == State::Failed)?;
            Some(News { failure: *failure, at: new.failed_at?, handed_at: old.sent_at.unwrap_or(old.queued_at) })
        });
        let news: Vec<_> = news.collect();
        have_effect(&mut tx, &news, now).await?;
        let named = provider_message::learn(&mut tx, known_as).await?;
        tx.commit().await.map_err(Error::during("commit receipts"))?;
        self.suppress_known_handsets(&named, now).await?;
        Ok(Some(known.len() as u64))
    }

    /// Returns the certain receipts, and those for messages without an installation id.
    async fn meant<'a>(&self, receipts: &'a [Receipt]) -> Result<Cow<'a, [Receipt]>, Error> {
        let doubtful: Vec<MessageKey> = receipts.iter().filter(|one| !one.is_certain).map(|one| one.key).collect();
        if doubtful.is_empty() {
            return Ok(Cow::Borrowed(receipts));
        }
        let without_installation_id = self.without_installation_id(&doubtful).await?;
        Ok(receipts
            .iter()
            .filter(|one| one.is_certain || without_installation_id.contains(&one.key))
            .cloned()
            .collect())
    }
}

impl LockedMessage {
    /// Returns true if `receipt` may concern this message.
    fn is_meant(&self, receipt: &Receipt) -> bool {
        let other =
            self.provider_id.as_ref().zip(receipt.provider_id.as_ref()).is_some_and(|(ours, theirs)| ours != theirs);
        !other
    }

    /// Returns true if the person was erased: only the message's progress is recorded.
    fn is_erased(&self) -> bool {
        self.phone.is_empty()
    }

    fn note(&mut self, receipt: &Receipt, now: Timestamp) {
        let at = receipt.at.max(self.queued_at).min(now);
        let earliest = |known: &mut Option<Timestamp>| *known = Some(known.map_or(at, |known| known.min(at)));
        if self.provider_id.is_none() && !self.is_erased() {
            self.provider_id.clone_from(&receipt.provider_id);
        }
        if let Ok(state) = step(self.state, receipt.status.event()) {
            self.state = state;
            self.error = match &receipt.status {
                ReceiptStatus::Failed(refusal) if !self.is_erased() => Some(refusal.error.clone()),
                _ => None,
            };
        }
        // A read message was delivered, and a delivered message was sent, even without receipts for these.
        match receipt.status {
            ReceiptStatus::Sent => earliest(&mut self.sent_at),
            ReceiptStatus::Delivered => [&mut self.sent_at, &mut self.delivered_at].into_iter().for_each(earliest),
            ReceiptStatus::Read => {
                [&mut self.sent_at, &mut self.delivered_at, &mut self.read_at].into_iter().for_each(earliest);
            }
            ReceiptStatus::Failed(_) => earliest(&mut self.failed_at),
        }
    }

    /// Returns the provider names that `receipt` contains.
    fn known_as<'a>(&self, receipt: &'a Receipt) -> Option<KnownAs<'a>> {
        if self.is_erased() {
            return None;
        }
        let phone = Phone::dialled_as(&self.phone);
        let names =
            receipt.recipient.iter().map(|name| stored_name(name)).filter(|name| stored_name(&self.phone) != *name);
        let names = names.map(|name| (name, phone.as_str().to_owned())).collect();
        Some(KnownAs { provider_id: receipt.provider_id.as_deref()?, key: receipt.key, names })
    }
}

columns! {
    /// A message, after its receipts.
    struct ReceiptRow<'a> {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
        state: &'a str,
        sent_at: Option<Timestamp>,
        delivered_at: Option<Timestamp>,
        read_at: Option<Timestamp>,
        failed_at: Option<Timestamp>,
        provider_id: Option<&'a str>,
        error: Option<&'a str>,
    }
}

const SAVE: Batch<ReceiptRow<'_>> = Batch::of(include_str!("receipt_save.sql"));

async fn save(tx: &mut PgConnection, known: &BTreeMap<MessageKey, LockedMessage>) -> Result<(), Error> {
    if known.is_empty() {
        return Ok(());
    }
    let rows = known.iter().map(|(key, message)| ReceiptRow {
        account_id: key.target.account,
        campaign_id: key.target.campaign,
        referral_id: key.target.referral,
        day: key.day,
        state: message.state.as_str(),
        sent_at: message.sent_at,
        delivered_at: message.delivered_at,
        read_at: message.read_at,
        failed_at: message.failed_at,
        provider_id: message.provider_id.as_deref(),
        error: message.error.as_deref(),
    });
    SAVE.query(rows).execute(tx).await.map(drop).map_err(Error::during("save receipts"))
}
