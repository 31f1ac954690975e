//! The sandbox channel, which keeps messages in Postgres and sends nothing.

use std::time::Duration;

use async_trait::async_trait;

use crate::channel::{Channel, Outcome, Reaction};
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::Timestamp;
use crate::store::Store;

#[derive(Debug, Clone)]
pub struct Sandbox {
    store: Store,
    latency: Duration,
}

impl Sandbox {
    /// Creates a sandbox. `latency` is the real time that each hand-over of a batch takes.
    pub fn new(store: Store, latency: Duration) -> Self {
        Self { store, latency }
    }
}

#[async_trait]
impl Channel for Sandbox {
    fn calls_out(&self) -> bool {
        !self.latency.is_zero()
    }

    async fn hand_over(&self, messages: &[OutgoingMessage], now: Timestamp) -> Vec<Outcome> {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        match self.store.sandbox_accept(messages, now).await {
            Ok(Some(ids)) => ids.into_iter().map(|id| Outcome::accepted(format!("sandbox-{id}"))).collect(),
            // Nothing left, and nobody is at fault.
            Ok(None) => {
                let busy = Outcome::refused("no database connection was free", Reaction::Throttle { after: None });
                vec![busy; messages.len()]
            }
            // The connection may have failed after the commit, so the outcome is unknown, as with a real provider.
            Err(error) => vec![Outcome::Unknown { error: error.to_string() }; messages.len()],
        }
    }
}
