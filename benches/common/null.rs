//! A channel without cost.

use std::sync::Arc;

use async_trait::async_trait;
use relance::channel::{Channel, Open, Outcome};
use relance::core::dispatch::OutgoingMessage;
use relance::core::domain::Timestamp;

/// A channel that accepts every message, keeps none, and reports the size of each hand-over.
pub(crate) struct Null<F>(F);

impl<F: Fn(usize)> std::fmt::Debug for Null<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Null")
    }
}

/// Returns an opener that returns the null channel for every channel. `tell` receives the size of each hand-over.
pub(crate) fn null(tell: impl Fn(usize) + Send + Sync + 'static) -> Open {
    let null: Arc<dyn Channel> = Arc::new(Null(tell));
    Arc::new(move |_| Arc::clone(&null))
}

#[async_trait]
impl<F: Fn(usize) + Send + Sync> Channel for Null<F> {
    fn calls_out(&self) -> bool {
        false
    }

    async fn hand_over(&self, messages: &[OutgoingMessage], _: Timestamp) -> Vec<Outcome> {
        (self.0)(messages.len());
        vec![Outcome::accepted("null".to_owned()); messages.len()]
    }
}
