//! A scripted channel: it accepts or refuses messages, withholds answers, or crashes the daemon.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::channel::whatsapp;
use crate::channel::{Channel, Open, Outcome};
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{CampaignId, MessageKey, ReferralId, Timestamp, mix};
use crate::core::lifecycle::outcome as settlement;

/// A provider's reaction to one hand-over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// The provider accepts the message.
    Accepted,
    /// The provider refuses the message, with a WhatsApp code, or permanently with any other word.
    Rejected(String),
    /// The provider accepts the message, but its answer is lost.
    Timeout,
    /// The provider refuses the message for now.
    Throttled,
    /// The provider refuses the message and asks for this reaction.
    Refused(settlement::Reaction),
    /// The provider accepts the message, and the daemon crashes before it records the outcome.
    CrashBeforeOutcome,
}

/// A reaction to the hand-overs that match all conditions; a condition that is `None` matches all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub referral: Option<ReferralId>,
    pub campaign: Option<CampaignId>,
    pub day: Option<i16>,
    pub phone: Option<String>,
    pub reaction: Reaction,
    /// The number of hand-overs that it still affects; `None` means all.
    pub times: Option<u32>,
}

impl Fault {
    fn concerns(&self, message: &OutgoingMessage) -> bool {
        let MessageKey { target, day } = message.key;
        self.times != Some(0)
            && self.referral.is_none_or(|referral| referral == target.referral)
            && self.campaign.is_none_or(|campaign| campaign == target.campaign)
            && self.day.is_none_or(|fault| fault == day)
            && self.phone.as_deref().is_none_or(|phone| phone == message.phone.as_str())
    }
}

/// A message that reached a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub key: MessageKey,
    pub phone: String,
    pub text: String,
    pub at: Timestamp,
}

/// The script of a world's channel and the messages it delivered. Without faults it accepts everything.
#[derive(Debug, Default)]
pub struct Script {
    faults: Mutex<Vec<Fault>>,
    /// The number of hand-overs per million that are refused permanently, and the seed that selects them.
    refusals: Option<(u32, u64)>,
    deliveries: Option<Mutex<Vec<Delivery>>>,
    crash: Notify,
}

impl Script {
    /// Creates a script that keeps every message that reaches a phone.
    pub fn keeping() -> Self {
        Self { deliveries: Some(Mutex::default()), ..Self::default() }
    }

    /// Creates a script that keeps no messages and refuses a share of hand-overs, from 0 to 1. A seed always selects
    /// the same.
    pub fn refusing(share: f64, seed: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
        let of_a_million = (share.clamp(0.0, 1.0) * 1e6).round() as u32;
        Self { refusals: Some((of_a_million, seed)), ..Self::default() }
    }

    /// Returns the same script, which now keeps every message that reaches a phone.
    #[must_use]
    pub fn remembering(self) -> Self {
        Self { deliveries: Some(Mutex::default()), ..self }
    }

    /// Removes and returns the messages that reached a phone since the last call, in order.
    pub fn drain(&self) -> Vec<Delivery> {
        self.deliveries.as_ref().map(|deliveries| std::mem::take(&mut *lock(deliveries))).unwrap_or_default()
    }

    /// Changes the list of faults. The first fault that matches a hand-over decides its outcome.
    pub fn edit_faults(&self, change: impl FnOnce(&mut Vec<Fault>)) {
        change(&mut lock(&self.faults));
    }

    /// Returns every message that reached a phone and was not drained, in order; empty if the script keeps none.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.as_ref().map(|deliveries| lock(deliveries).clone()).unwrap_or_default()
    }

    /// Returns the channel factory of a world, which uses this script for every channel of a manifest.
    pub fn opens(self: Arc<Self>) -> Open {
        let channel: Arc<dyn Channel> = Arc::new(Scripted(self));
        Arc::new(move |_| Arc::clone(&channel))
    }

    /// Resolves when a hand-over crashes the daemon.
    pub(super) async fn crashed(&self) {
        self.crash.notified().await;
    }

    fn reaction(&self, message: &OutgoingMessage) -> Reaction {
        let mut faults = lock(&self.faults);
        if let Some(fault) = faults.iter_mut().find(|fault| fault.concerns(message)) {
            fault.times = fault.times.map(|times| times - 1);
            return fault.reaction.clone();
        }
        match self.refusals {
            Some((share, seed)) if draw(message, seed) < u64::from(share) => {
                Reaction::Rejected("unreachable".to_owned())
            }
            _ => Reaction::Accepted,
        }
    }

    /// Returns the outcome of one hand-over, or `None` if the daemon crashes before it learns the outcome.
    fn hand_over(&self, message: &OutgoingMessage) -> Option<Outcome> {
        let reaction = self.reaction(message);
        let arrives = matches!(reaction, Reaction::Accepted | Reaction::Timeout | Reaction::CrashBeforeOutcome);
        if let Some(deliveries) = self.deliveries.as_ref().filter(|_| arrives) {
            let OutgoingMessage { key, phone, content, claimed_at, .. } = message;
            let phone = phone.dialled().to_owned();
            lock(deliveries).push(Delivery { key: *key, phone, text: content.text.clone(), at: *claimed_at });
        }
        Some(match reaction {
            Reaction::Accepted => Outcome::accepted(provider_id(&message.key)),
            Reaction::Rejected(code) => {
                // A code that is not a provider's number is a permanent refusal.
                let asks =
                    code.parse().map_or(settlement::Reaction::Leave, |code| whatsapp::reaction(code, message.attempts));
                Outcome::refused(format!("rejected: {code}"), asks)
            }
            Reaction::Timeout => Outcome::Unknown { error: "no answer".to_owned() },
            Reaction::Throttled => Outcome::refused("throttled", settlement::Reaction::Retry { after: None }),
            Reaction::Refused(reaction) => Outcome::refused("refused", reaction),
            Reaction::CrashBeforeOutcome => return None,
        })
    }
}

#[derive(Debug)]
struct Scripted(Arc<Script>);

#[async_trait]
impl Channel for Scripted {
    fn calls_out(&self) -> bool {
        false
    }

    async fn hand_over(&self, messages: &[OutgoingMessage], _: Timestamp) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(messages.len());
        for message in messages {
            let Some(outcome) = self.0.hand_over(message) else {
                self.0.crash.notify_one();
                return std::future::pending().await;
            };
            outcomes.push(outcome);
        }
        outcomes
    }
}

fn provider_id(MessageKey { target, day }: &MessageKey) -> String {
    format!("{}-{}-{}-{day}", target.account.0, target.campaign.0, target.referral.0)
}

/// Returns a pseudo-random number below a million for one hand-over.
fn draw(message: &OutgoingMessage, seed: u64) -> u64 {
    let MessageKey { target, day } = message.key;
    // The campaign's id is left out because it depends on which other campaigns exist.
    let key = target.referral.0.cast_unsigned().rotate_left(20)
        ^ u64::from(day.cast_unsigned()) << 4
        ^ u64::from(message.attempts);
    mix(key ^ mix(seed)) % 1_000_000
}

/// Locks a mutex despite poisoning: it guards plain data that no panic leaves invalid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
