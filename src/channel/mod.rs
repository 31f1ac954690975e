//! How messages leave.
//!
//! A channel is handed a claimed batch and says of each message what is known of it. It decides nothing else:
//! what an outcome means is `lifecycle::settlement`'s.

mod route;
mod sandbox;

use std::fmt;

use async_trait::async_trait;

pub use self::route::{Channels, Open};
pub use self::sandbox::Sandbox;
use crate::domain::Timestamp;
pub use crate::lifecycle::settlement::Outcome;
use crate::store::Claimed;

/// A way for messages to leave.
#[async_trait]
pub trait Channel: fmt::Debug + Send + Sync {
    /// Hands over `messages`; one outcome for each, in the same order.
    ///
    /// It must return within the lease (see `runner::send`). Whatever may have left is [`Outcome::Unknown`].
    async fn hand_over(&self, messages: &[Claimed], now: Timestamp) -> Vec<Outcome>;
}
