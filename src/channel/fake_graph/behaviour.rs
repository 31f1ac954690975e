//! The behaviour of the fake Graph API: faults for the next calls, for one person, or for a random share of all calls.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::check::Wanted;
use super::error::ApiError;
use crate::core::domain::{Timestamp, mix};

/// The time after an inbound message during which messages without a template may go to its author.
const CONVERSATION_HOURS: i64 = 24;

/// The settings for all calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Behaviour {
    /// The seed of all random choices.
    pub seed: u64,
    /// The only accepted token; `None` accepts any token.
    pub token: Option<String>,
    /// The shortest and the longest duration of a call, in milliseconds.
    pub latency_ms: [u64; 2],
    /// The throughput of one number, above which calls fail with error 130429.
    pub messages_per_second: Option<u32>,
    /// The approved templates with the number of parameters of their bodies. `None` accepts every template.
    pub templates: Option<BTreeMap<String, usize>>,
    /// True if templates are accepted only by `/marketing_messages`.
    pub marketing_only: bool,
    /// The share of calls whose connection is cut before they are read.
    pub cut_before: f64,
    /// The share of calls whose connection is cut after the message was accepted.
    pub cut_after: f64,
}

/// A simulated failure of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Fault {
    Error(ApiError),
    /// The connection is cut before the message is accepted.
    CutBefore,
    /// The connection is cut after the message is accepted.
    CutAfter,
    /// The message is accepted, but no answer follows.
    Hang,
    /// The message is accepted, but the answer is not in the format of the Graph API.
    Garbled,
    /// Another server answers with this status; nothing is accepted.
    Stranger(u16),
}

/// The behaviour, with the state on which it depends.
#[derive(Debug, Default)]
pub(super) struct Manners {
    pub(super) behaviour: Behaviour,
    pub(super) next: VecDeque<Fault>,
    pub(super) for_phone: HashMap<String, Fault>,
    /// The time of the last inbound message, by number and person.
    pub(super) inbound: HashMap<(String, String), Timestamp>,
    /// The start of the current second and the messages taken in it, by number.
    taken: HashMap<String, (Instant, u32)>,
    drawn: u64,
}

impl Manners {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, ..Self::default() }
    }

    /// Returns the duration of this call.
    pub(super) fn latency(&mut self) -> Duration {
        let [from, to] = self.behaviour.latency_ms;
        Duration::from_millis(from + self.draw() % (to.saturating_sub(from) + 1))
    }

    /// Returns the fault of a call: the one ordered for this person, else for the next call, else a random one.
    pub(super) fn fault(&mut self, to: &str) -> Option<Fault> {
        if let Some(fault) = self.for_phone.get(to) {
            return Some(fault.clone());
        }
        if let Some(fault) = self.next.pop_front() {
            return Some(fault);
        }
        let chance = share(self.draw());
        let Behaviour { cut_before, cut_after, .. } = self.behaviour;
        if chance < cut_before {
            Some(Fault::CutBefore)
        } else {
            (chance < cut_before + cut_after).then_some(Fault::CutAfter)
        }
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        mix(mix(self.behaviour.seed) ^ self.drawn)
    }

    /// Checks that a valid message may be sent by this number now.
    pub(super) fn admit(&mut self, call: &Admission<'_>, wanted: &Wanted) -> Result<(), ApiError> {
        match &wanted.template {
            None => self.in_conversation(call, &wanted.to)?,
            Some(_) if self.behaviour.marketing_only && !call.is_marketing => {
                return Err(ApiError::new(131_063, "Marketing messages are not supported on this endpoint"));
            }
            Some(name) => self.approved(name, wanted.parameters)?,
        }
        self.throughput(call)
    }

    fn in_conversation(&self, call: &Admission<'_>, to: &str) -> Result<(), ApiError> {
        if call.is_marketing {
            return Err(ApiError::new(131_051, "Unsupported message type"));
        }
        let spoke = self.inbound.get(&(call.number.to_owned(), to.trim_start_matches('+').to_owned()));
        if spoke.is_some_and(|at| (call.now - *at).num_hours() < CONVERSATION_HOURS) {
            return Ok(());
        }
        Err(ApiError::new(131_047, "Re-engagement message"))
    }

    fn approved(&self, name: &str, parameters: usize) -> Result<(), ApiError> {
        let Some(templates) = &self.behaviour.templates else { return Ok(()) };
        match templates.get(name) {
            None => Err(ApiError::new(132_001, "Template name does not exist in the translation")),
            Some(expected) if *expected != parameters => {
                Err(ApiError::new(132_000, "Number of parameters does not match the expected number of params"))
            }
            Some(_) => Ok(()),
        }
    }

    fn throughput(&mut self, call: &Admission<'_>) -> Result<(), ApiError> {
        let Some(most) = self.behaviour.messages_per_second else { return Ok(()) };
        let (since, taken) = self.taken.entry(call.number.to_owned()).or_insert((call.instant, 0));
        if call.instant.duration_since(*since) >= Duration::from_secs(1) {
            (*since, *taken) = (call.instant, 0);
        }
        if *taken >= most {
            return Err(ApiError::new(130_429, "Rate limit hit"));
        }
        *taken += 1;
        Ok(())
    }
}

/// The circumstances of a call with a valid message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admission<'a> {
    pub(super) number: &'a str,
    pub(super) is_marketing: bool,
    pub(super) now: Timestamp,
    pub(super) instant: Instant,
}

/// Maps a number to the range from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
pub(super) fn share(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}
