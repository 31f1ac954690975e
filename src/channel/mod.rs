//! How messages leave.
//!
//! A channel is handed a claimed batch and says of each message what is known of it. It decides nothing else:
//! what an outcome means is `lifecycle::settlement`'s.

mod concurrency;
pub mod fake_graph;
mod http;
pub mod notify;
pub mod outgoing;
mod refusal_text;
mod route;
pub mod secret;
mod smtp;
pub mod webhook;
pub mod whatsapp;
mod withheld;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use self::http::Http;
pub use self::route::{Channels, Open};
pub use self::smtp::Smtp;
pub use self::withheld::Withheld;
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::Timestamp;
pub use crate::core::lifecycle::outcome::{Outcome, Reaction, Refusal};

/// The longest the hand-over of a batch may take, in real time. A stop waits longer than that, a lease lasts longer.
pub const HAND_OVER: Duration = Duration::from_secs(20);

/// A way for messages to leave.
#[async_trait]
pub trait Channel: fmt::Debug + Send + Sync {
    /// Hands over `messages`; one outcome for each, in the same order.
    ///
    /// After [`HAND_OVER`] nobody waits for the answer. Whatever may have left is [`Outcome::Unknown`].
    async fn hand_over(&self, messages: &[OutgoingMessage], now: Timestamp) -> Vec<Outcome>;

    /// Whether it waits for somebody else, so that what it is handed for one lane must not hold up another.
    fn calls_out(&self) -> bool {
        true
    }
}
