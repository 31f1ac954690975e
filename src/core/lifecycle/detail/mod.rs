//! Details: the explanation of a phase, a restriction or an event, as a code with typed parameters.
//!
//! The database stores details as JSON, tagged by `code`; the sentence is made where it is shown. The JSON form is a
//! stored format: a code and its parameters keep their names. Details are compared as values, never by their words.

mod english;
mod parts;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

pub use self::parts::{Changes, Facts, LARGE_SHARE_PERCENT, NoticeSubject, Phones, Refusal, TestMessage, TestOutcome};
use super::message::State;
use super::overrides::{Action, Override, StandingOrder};
use super::phase::Phase;
use crate::core::domain::Timestamp;
use crate::core::manifest::Kind;
use crate::core::manifest::desired::{Defect, Topic};

/// The explanation of a phase, a restriction or an event. [`Display`](std::fmt::Display) gives its English sentence,
/// without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Detail {
    /// No explanation, as in a run that was restored from an export.
    None,

    // Phases of a run, by its manifest and its schedule.
    JustCreated,
    ManifestGone,
    CancelledInManifest,
    PausedInManifest,
    BackToDraft,
    Draft,
    /// The campaign is not for the account.
    NotSelected,
    StartsAt {
        at: Timestamp,
    },
    EndedAt {
        at: Timestamp,
    },
    Drained,
    Running,
    EnrollmentOff,
    SendingOff,
    EnrollmentAndSendingOff,

    // Phases of a run, by the state of its account and of other runs.
    SubscriptionExpired,
    Disconnected,
    LookingAhead,
    /// The run would end at `finish`, or never, and the subscription ends at `end`.
    OutlivesSubscription {
        finish: Option<Timestamp>,
        end: Timestamp,
    },
    NobodyMatches,
    /// Everybody who matches is active in another run.
    PeopleBusy,
    /// The run waits for a campaign that is in `phase`.
    QueuedBehind {
        campaign: String,
        phase: Phase,
    },
    /// The run may wait in a stored queue whose list of campaigns cannot be read.
    BehindUnreadableQueue,
    /// The default run pauses for a filtered campaign. `returns`: that campaign is not active, but may go on soon.
    MakesWay {
        campaign: String,
        returns: bool,
    },

    // Orders of operators.
    /// A run follows an order. The order is known by its id; the other parameters describe it.
    Ordered {
        order: i64,
        action: Action,
        actor: String,
        reason: String,
        until: Option<Timestamp>,
    },
    OrderCleared {
        actor: String,
    },
    /// An operator opened the enrollment of a completed run again.
    Reopened {
        actor: String,
        reason: String,
    },
    OrderTimeOver,
    OrderExpired {
        order: Box<Detail>,
    },
    /// The end of an order, and the explanation of what follows.
    AfterOrder {
        end: Box<Detail>,
        then: Box<Detail>,
    },
    ChannelResumed {
        channel: String,
        actor: String,
        reason: String,
    },

    // Faults and restrictions.
    /// A message could not be rendered; the words of the template engine.
    NotRendered {
        text: String,
    },
    /// A hand-over failed; the words of the channel or its provider.
    Refused {
        text: String,
    },
    /// A stored object cannot be used, so the campaigns that need it are frozen.
    StoredUnusable {
        kind: Kind,
        name: String,
        defect: Defect,
    },
    TemplateRefused {
        template: String,
        language: String,
    },
    ChannelStopped {
        channel: String,
        why: Box<Detail>,
    },
    Failures {
        failed: u32,
        handed: u32,
    },
    OptOuts {
        people: u32,
        handed: u32,
    },
    /// A report by a provider; `event` and `text` are its words.
    ProviderNotice {
        channel: String,
        subject: NoticeSubject,
        event: String,
        text: Option<String>,
    },

    // Manifests and plans.
    RevisionApplied {
        revision: i32,
        commit: Option<String>,
        changes: Changes,
    },
    PlanRefused {
        plan: String,
        refusal: Refusal,
    },
    PlanApproved {
        plan: String,
        reason: String,
    },
    /// `why` has the diagnostics of the files.
    ManifestFrozen {
        kind: Kind,
        name: String,
        in_force: bool,
        why: Vec<String>,
    },
    /// A stored object cannot be used: this one, or one that it needs.
    StoredFrozen {
        kind: Kind,
        name: String,
        why: Vec<String>,
    },
    ManifestKept {
        kind: Kind,
        name: String,
        why: String,
    },
    /// The kind may be one of a newer version.
    ManifestThawed {
        kind: String,
        name: String,
    },

    // Facts, people and messages.
    Imported {
        facts: Facts,
        inserted: u64,
        updated: u64,
        unchanged: u64,
        rejected: u64,
        /// Rejected rows with an effect: an opt-out is recorded, a payment is recorded, or people are held.
        opted_out: u64,
        paid: u64,
        held: u64,
    },
    Suppressed {
        phones: Phones,
        reason: Option<String>,
    },
    Unsuppressed {
        phones: Phones,
        reason: String,
    },
    /// A reply waits for review. The phone is masked.
    ReplyHeld {
        phone: String,
    },
    /// A person changed their number and waits for review. The phone is masked.
    NumberChanged {
        phone: String,
    },
    /// People of an account wait for review, because the consent or payment in rows of an import is not clear.
    RowsHeld {
        people: u64,
    },
    ReplyReleased {
        phone: String,
        reason: Option<String>,
    },
    ContactErased {
        rows: u64,
        messages: u64,
        reason: String,
    },
    MessageResolved {
        message: String,
        state: State,
        reason: Option<String>,
    },
    MessagesResolved {
        messages: u64,
        state: State,
        reason: Option<String>,
    },
    TestBegun {
        test: TestMessage,
    },
    TestEnded {
        test: TestMessage,
        outcome: TestOutcome,
        error: Option<String>,
    },
    NotificationGivenUp {
        notifier: String,
        topic: Topic,
        detail: Box<Detail>,
        attempts: i32,
        error: String,
    },

    /// A stored detail of a newer version, or a broken one. It is shown and saved as it was found.
    #[serde(untagged)]
    Unknown(Value),
}

impl StandingOrder {
    /// Returns the detail of the runs that follow the order.
    pub fn detail(&self) -> Detail {
        let Self { id, order: Override { action, actor, reason, until, .. } } = self;
        let (actor, reason) = (actor.clone(), reason.clone());
        Detail::Ordered { order: *id, action: *action, actor, reason, until: *until }
    }
}

impl Detail {
    /// Returns the id of the order that the run follows.
    pub fn order(&self) -> Option<i64> {
        if let Self::Ordered { order, .. } = self { Some(*order) } else { None }
    }

    /// Serializes the sentence, for outputs that are read by people.
    pub fn as_sentence<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
