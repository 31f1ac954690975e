//! A claimed message: what a channel is handed, and what its outcome is judged by.

use std::sync::Arc;

use crate::core::dispatch::program::Rendered;
use crate::core::domain::{MessageKey, NaiveDate, Name, Phone, Timestamp};
use crate::core::lifecycle::outcome::{Outcome, OutcomeEffects, Standing, judge};
use crate::core::manifest::desired::policy::AccountPolicy;

/// A message that this process has claimed and may hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    pub key: MessageKey,
    /// The lease under which it is claimed. Outcomes of one lease are saved together.
    pub lease: i64,
    pub phone: Phone,
    pub email: Option<String>,
    /// The channel by which it leaves; `None`: the built-in sandbox.
    pub channel: Option<Name>,
    pub content: Rendered,
    /// The person wrote to the account within the last 24 hours, so WhatsApp takes free text. Read at the claim, and only
    /// for channels that ask for it.
    pub in_conversation: bool,
    /// Hand-overs of this message that count, this one included.
    pub attempts: u16,
    /// Days in a row that failed before this one.
    pub failed_days: u16,
    /// It is the last day of the sequence.
    pub last: bool,
    /// The account's local day whose quota it took.
    pub quota_date: NaiveDate,
    pub claimed_at: Timestamp,
    /// The policy of its account, such as the sender.
    pub policy: Arc<AccountPolicy>,
}

impl OutgoingMessage {
    /// Returns what `outcome` means for this message at `now`.
    ///
    /// A simulation claims ahead of `now`; no outcome is known before its claim, so the later instant counts.
    pub fn judge(&self, outcome: &Outcome, now: Timestamp) -> OutcomeEffects {
        let standing = Standing { attempts: self.attempts, failed_days: self.failed_days, last: self.last };
        judge(outcome, standing, now.max(self.claimed_at))
    }
}
