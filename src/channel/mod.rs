//! Channels, which hand messages over to providers.
//!
//! A channel receives a claimed batch and returns one outcome for each message. It decides nothing else:
//! `core::lifecycle::outcome` defines the consequences of an outcome.

mod concurrency;
pub mod fake_graph;
mod http;
mod masking;
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

/// The longest hand-over of a batch, in real time. A shutdown waits longer, and a lease lasts longer.
pub const HAND_OVER: Duration = Duration::from_secs(20);

/// A way to send messages, such as a provider's API, a mail server or the sandbox.
#[async_trait]
pub trait Channel: fmt::Debug + Send + Sync {
    /// Hands over `messages` and returns one outcome for each, in the same order.
    ///
    /// The caller stops waiting after [`HAND_OVER`]. A message that may have left is [`Outcome::Unknown`].
    async fn hand_over(&self, messages: &[OutgoingMessage], now: Timestamp) -> Vec<Outcome>;

    /// Returns true if the channel waits for another server. A batch of one lane must then not delay another lane.
    fn calls_out(&self) -> bool {
        true
    }
}
