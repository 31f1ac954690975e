//! The choice of a channel for each message: the one that its campaign names, else only the one of its account.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use futures_util::future::join_all;

use super::{Channel, HAND_OVER, Outcome, Reaction};
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{Name, Timestamp};
use crate::core::manifest::desired::Channel as Spec;

/// Makes the channel that a manifest describes; without a description, the built-in sandbox.
pub type Open = Arc<dyn Fn(Option<&Spec>) -> Arc<dyn Channel> + Send + Sync>;

/// The open channels of one revision.
pub struct Channels {
    named: HashMap<Name, Arc<dyn Channel>>,
    built_in: Arc<dyn Channel>,
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels").field("named", &self.named).finish_non_exhaustive()
    }
}

impl Channels {
    pub fn open(specs: &BTreeMap<Name, Spec>, open: &Open) -> Self {
        let named = specs.iter().map(|(name, spec)| (name.clone(), open(Some(spec)))).collect();
        Self { named, built_in: open(None) }
    }

    /// Returns true if one of the channels waits for another server.
    pub fn call_out(&self) -> bool {
        self.built_in.calls_out() || self.named.values().any(|channel| channel.calls_out())
    }

    /// Hands each message to the channel of its campaign or account. The channels work concurrently. Returns one
    /// outcome for each message, in the same order.
    pub async fn hand_over(&self, messages: &[OutgoingMessage], now: Timestamp) -> Vec<Outcome> {
        let mut groups: BTreeMap<Option<&Name>, Vec<usize>> = BTreeMap::new();
        for (place, message) in messages.iter().enumerate() {
            groups.entry(message.channel.as_ref()).or_default().push(place);
        }
        let calls = groups.into_iter().map(|(name, places)| async move {
            // Nearly always, one channel takes the whole batch, and then nothing is copied.
            let batch: Cow<'_, [OutgoingMessage]> = if places.len() == messages.len() {
                Cow::Borrowed(messages)
            } else {
                places.iter().map(|place| messages[*place].clone()).collect()
            };
            let outcomes = match name.map(|name| self.named.get(name)) {
                None => in_time(self.built_in.as_ref(), &batch, now).await,
                Some(Some(channel)) => in_time(channel.as_ref(), &batch, now).await,
                Some(None) => {
                    // Nobody is at fault: people keep their day until the channel is back.
                    let gone = Outcome::refused("its channel is gone", Reaction::PauseChannel);
                    vec![gone; batch.len()]
                }
            };
            places.into_iter().zip(outcomes).collect::<Vec<_>>()
        });
        let mut answers: Vec<(usize, Outcome)> = join_all(calls).await.into_iter().flatten().collect();
        answers.sort_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, outcome)| outcome.presentable()).collect()
    }
}

/// Returns the outcomes of `batch`. All are unknown if the channel answers late, or not for every message.
async fn in_time(channel: &dyn Channel, batch: &[OutgoingMessage], now: Timestamp) -> Vec<Outcome> {
    let unknown = |error: String| vec![Outcome::Unknown { error }; batch.len()];
    match tokio::time::timeout(HAND_OVER, channel.hand_over(batch, now)).await {
        Ok(outcomes) if outcomes.len() == batch.len() => outcomes,
        Ok(outcomes) => unknown(format!("the channel answered for {} of {} messages", outcomes.len(), batch.len())),
        Err(_) => unknown(format!("no answer within {} s", HAND_OVER.as_secs())),
    }
}
