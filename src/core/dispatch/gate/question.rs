//! The question to the gate: the run, the account, the person, time and quota.

use crate::core::domain::{Consent, NaiveDate, Opening, Timestamp};
use crate::core::lifecycle::run::{Phase, Unable};
use crate::core::manifest::desired::ConsentPolicy;

/// Everything the answer depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub now: Timestamp,
    pub run: Run,
    /// Whether sending is switched on for the account.
    pub sending: bool,
    pub account: Account,
    /// `None` asks for the run as a whole: could anybody be written to now?
    pub person: Option<Person>,
    /// Whether the run's window is open, in the zone that counts.
    pub opening: Opening,
    pub account_quota: Quota,
    pub campaign_quota: Quota,
    /// When the account's local day ends and daily quotas start anew.
    pub day_ends_at: Timestamp,
    /// The next instant at which the account's pace admits a message.
    pub next_slot_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub phase: Phase,
    pub end_at: Option<Timestamp>,
    pub exit_on_paid: bool,
    pub consent: ConsentPolicy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// `None`: the export does not say, so it counts as running.
    pub subscription_ends_at: Option<Timestamp>,
    pub connected: bool,
    /// Nothing may leave, for its own sake.
    pub halt: Option<LaneRestriction>,
    /// Its number was too fast, and waits until then.
    pub throttled_until: Option<Timestamp>,
}

/// What stops an account, or the channel by which it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneRestriction {
    /// `None`: until a person lifts it.
    pub until: Option<Timestamp>,
}

impl LaneRestriction {
    pub(super) fn is_over(self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Account {
    /// One of which nothing more is known.
    pub fn new(subscription_ends_at: Option<Timestamp>, connected: bool) -> Self {
        Self { subscription_ends_at, connected, halt: None, throttled_until: None }
    }

    /// Whether the subscription is over at `now`.
    pub fn is_expired(self, now: Timestamp) -> bool {
        self.subscription_ends_at.is_some_and(|end| end <= now)
    }

    /// Why nothing can leave for it at `now`, if so.
    pub fn unable(self, now: Timestamp) -> Option<Unable> {
        match self {
            _ if self.is_expired(now) => Some(Unable::SubscriptionExpired),
            Self { connected: false, .. } => Some(Unable::Disconnected),
            Self { connected: true, .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    pub paid: bool,
    pub consent: Option<Consent>,
    pub suppressed: bool,
    /// What they wrote may mean that they want no more messages, and nobody has read it yet.
    pub near_opt_out: bool,
    /// The local day of the last message that left for this person, in any campaign of the account.
    pub last_written_on: Option<NaiveDate>,
    /// The account's local day.
    pub today: NaiveDate,
}

/// A daily cap and what was taken of it today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// `None`: no cap.
    pub cap: Option<u32>,
    pub taken: u32,
}

impl Quota {
    /// How many more may leave today.
    pub fn left(self) -> u32 {
        self.cap.map_or(u32::MAX, |cap| cap.saturating_sub(self.taken))
    }
}
