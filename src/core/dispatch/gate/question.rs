//! The question to the gate: the run, the account, the person, time and quota.

use super::verdict::{Hold, Scope};
use crate::core::domain::{Consent, NaiveDate, Opening, Timestamp};
use crate::core::lifecycle::run::{Phase, Unable};
use crate::core::manifest::desired::ConsentPolicy;

/// Everything that the verdict depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub now: Timestamp,
    pub run: Run,
    /// Sending is on for the account.
    pub sending: bool,
    pub account: Account,
    /// The person; `None` asks about the run as a whole: could it send to anybody now?
    pub person: Option<Person>,
    /// The state of the run's window, in its zone or that of the person.
    pub opening: Opening,
    /// Each person has windows of their own. A question about the run as a whole then takes them as open.
    pub own_windows: bool,
    pub account_quota: Quota,
    pub campaign_quota: Quota,
    /// When the account's local day ends and daily quotas restart.
    pub day_ends_at: Timestamp,
    /// The next instant at which the account's pace admits a message.
    pub next_slot_at: Option<Timestamp>,
}

impl Question {
    /// Returns the scope of a hold: only this person, the whole run, or the whole account.
    pub fn scope(&self, reason: Hold) -> Scope {
        match reason {
            Hold::OutsideWindow if self.own_windows => Scope::Person,
            reason => reason.scope(),
        }
    }
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
    /// The end of the subscription; `None` if the export has none, which counts as running.
    pub subscription_ends_at: Option<Timestamp>,
    pub connected: bool,
    /// The restriction under which the account sends nothing.
    pub halt: Option<LaneRestriction>,
    /// The end of the wait after the provider throttled the account's number.
    pub throttled_until: Option<Timestamp>,
}

/// A restriction of an account, or of the channel that it sends by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneRestriction {
    /// The end; `None` means until a person lifts it.
    pub until: Option<Timestamp>,
}

impl LaneRestriction {
    pub(super) fn is_over(self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Account {
    /// Returns an account about which nothing else is known.
    pub fn new(subscription_ends_at: Option<Timestamp>, connected: bool) -> Self {
        Self { subscription_ends_at, connected, halt: None, throttled_until: None }
    }

    /// Returns true if the subscription is over at `now`.
    pub fn is_expired(self, now: Timestamp) -> bool {
        self.subscription_ends_at.is_some_and(|end| end <= now)
    }

    /// Returns the reason why the account cannot send at `now`, if there is one.
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
    /// A possible opt-out of the person waits for review.
    pub near_opt_out: bool,
    /// The local day of the last message to this person, in any campaign of the account.
    pub last_written_on: Option<NaiveDate>,
    /// The account's local day.
    pub today: NaiveDate,
}

/// A daily cap, and its usage today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The cap; `None` means no cap.
    pub cap: Option<u32>,
    pub taken: u32,
}

impl Quota {
    /// Returns how many more messages may leave today.
    pub fn left(self) -> u32 {
        self.cap.map_or(u32::MAX, |cap| cap.saturating_sub(self.taken))
    }
}
