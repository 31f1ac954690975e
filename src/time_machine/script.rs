//! A channel that does what it is told: it takes messages, refuses them, stays silent, or takes the daemon down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::channel::whatsapp;
use crate::channel::{Channel, Open, Outcome};
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{CampaignId, MessageKey, ReferralId, Timestamp, mix};
use crate::core::lifecycle::outcome as settlement;

/// What a provider does with one hand-over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Takes it.
    Accepted,
    /// Refuses it, with a code of WhatsApp, or with a word and for good.
    Rejected(String),
    /// Takes it, but its answer is lost.
    Timeout,
    /// Does not take it now.
    Throttled,
    /// Does not take it, and asks for this.
    Refused(settlement::Reaction),
    /// Takes it, and the daemon dies before it can write that down.
    CrashBeforeOutcome,
}

/// A reaction to some hand-overs; `None` concerns all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub referral: Option<ReferralId>,
    pub campaign: Option<CampaignId>,
    pub day: Option<i16>,
    pub phone: Option<String>,
    pub reaction: Reaction,
    /// To how many hand-overs; `None`: to all.
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

/// What the channel of a world does, and what it was handed. Without faults it takes everything.
#[derive(Debug, Default)]
pub struct Script {
    faults: Mutex<Vec<Fault>>,
    /// Of a million: so many hand-overs are refused for good, chosen by the seed.
    refusals: Option<(u32, u64)>,
    deliveries: Option<Mutex<Vec<Delivery>>>,
    crash: Notify,
}

impl Script {
    /// A script that keeps every message that reached a phone.
    pub fn keeping() -> Self {
        Self { deliveries: Some(Mutex::default()), ..Self::default() }
    }

    /// A script that keeps nothing and refuses a share of the hand-overs, from 0 to 1: always the same for a seed.
    pub fn refusing(share: f64, seed: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
        let of_a_million = (share.clamp(0.0, 1.0) * 1e6).round() as u32;
        Self { refusals: Some((of_a_million, seed)), ..Self::default() }
    }

    /// The same script, keeping every message that reaches a phone.
    #[must_use]
    pub fn remembering(self) -> Self {
        Self { deliveries: Some(Mutex::default()), ..self }
    }

    /// Takes out everything that reached a phone since the last time, in order.
    pub fn drain(&self) -> Vec<Delivery> {
        self.deliveries.as_ref().map(|deliveries| std::mem::take(&mut *lock(deliveries))).unwrap_or_default()
    }

    /// Changes the faults to come; the first that concerns a hand-over decides how it ends.
    pub fn edit_faults(&self, change: impl FnOnce(&mut Vec<Fault>)) {
        change(&mut lock(&self.faults));
    }

    /// Everything that reached a phone, in order; nothing unless the script is [`Self::keeping`] it.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.as_ref().map(|deliveries| lock(deliveries).clone()).unwrap_or_default()
    }

    /// Makes the channels of a world: whatever a manifest describes, this script stands in for it.
    pub fn opens(self: Arc<Self>) -> Open {
        let channel: Arc<dyn Channel> = Arc::new(Scripted(self));
        Arc::new(move |_| Arc::clone(&channel))
    }

    /// Resolves when a hand-over takes the daemon down.
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

    /// `None`: nobody will ever hear the outcome.
    fn hand_over(&self, message: &OutgoingMessage) -> Option<Outcome> {
        let reaction = self.reaction(message);
        let arrives = matches!(reaction, Reaction::Accepted | Reaction::Timeout | Reaction::CrashBeforeOutcome);
        if let Some(deliveries) = self.deliveries.as_ref().filter(|_| arrives) {
            let OutgoingMessage { key, phone, content, claimed_at, .. } = message;
            let phone = phone.as_str().to_owned();
            lock(deliveries).push(Delivery { key: *key, phone, text: content.text.clone(), at: *claimed_at });
        }
        Some(match reaction {
            Reaction::Accepted => Outcome::Accepted { provider_id: provider_id(&message.key) },
            Reaction::Rejected(code) => {
                // A word that is no code of a provider is for good.
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

/// A number below a million for one hand-over.
fn draw(message: &OutgoingMessage, seed: u64) -> u64 {
    let MessageKey { target, day } = message.key;
    // The campaign's number would say nothing: it depends on which other campaigns there are.
    let key = target.referral.0.cast_unsigned().rotate_left(20)
        ^ u64::from(day.cast_unsigned()) << 4
        ^ u64::from(message.attempts);
    mix(key ^ mix(seed)) % 1_000_000
}

/// A lock whose holder panicked guards plain data all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
