//! A claimed message: the input of a channel, and of the outcome policy.

use std::sync::Arc;

use crate::core::dispatch::program::Rendered;
use crate::core::domain::{MessageKey, NaiveDate, Name, Phone, Timestamp};
use crate::core::lifecycle::outcome::{Outcome, OutcomeEffects, Standing, judge};
use crate::core::manifest::desired::policy::AccountPolicy;

/// A message that this process has claimed and may hand to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    pub key: MessageKey,
    /// The lease of the claim. Outcomes of one lease are saved together.
    pub lease: i64,
    pub phone: Phone,
    pub email: Option<String>,
    /// The channel to send by; `None` means the built-in sandbox.
    pub channel: Option<Name>,
    pub content: Rendered,
    /// The person wrote to the account within the last 24 hours, so WhatsApp accepts free text.
    ///
    /// The claim reads this, only for channels that need it.
    pub in_conversation: bool,
    /// The attempts of this message that count, this one included.
    pub attempts: u16,
    /// The failed days in a row before this one.
    pub failed_days: u16,
    /// The day is the last of the sequence.
    pub last: bool,
    /// The account's local day whose quota the message uses.
    pub quota_date: NaiveDate,
    pub claimed_at: Timestamp,
    /// The policy of the account, such as the sender.
    pub policy: Arc<AccountPolicy>,
}

impl OutgoingMessage {
    /// Applies the outcome policy to this message at `now`.
    ///
    /// A simulation claims ahead of `now`. An outcome never precedes its claim, so the later instant counts.
    pub fn judge(&self, outcome: &Outcome, now: Timestamp) -> OutcomeEffects {
        let standing = Standing { attempts: self.attempts, failed_days: self.failed_days, last: self.last };
        judge(outcome, standing, now.max(self.claimed_at))
    }
}
