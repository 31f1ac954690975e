//! A channel that sends nothing, for databases with a set clock: a week of such a clock may last three minutes.

use async_trait::async_trait;

use super::{Channel, Outcome, Reaction};
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::Timestamp;

/// The replacement for every channel that calls out, on a database whose clock was set.
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
