//! Nothing leaves this machine by a clock that was set: a week of it may be three minutes.

use async_trait::async_trait;

use super::{Channel, Outcome, Reaction};
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::Timestamp;

/// In place of a channel that calls others, on a database whose clock somebody has set.
#[derive(Debug)]
pub struct Withheld;

#[async_trait]
impl Channel for Withheld {
    fn calls_out(&self) -> bool {
        false
    }

    async fn hand_over(&self, messages: &[OutgoingMessage], _: Timestamp) -> Vec<Outcome> {
        let error =
            "the clock of this database was set (`run --speed`), so nothing leaves this machine: send from another one";
        vec![Outcome::refused(error, Reaction::PauseChannel); messages.len()]
    }
}
