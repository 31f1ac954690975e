//! The outcome policy: what follows for a message and its target after the channel has answered.

use chrono::TimeDelta;

use super::message::Event;
use super::target::Exit;
use crate::core::domain::Timestamp;

/// The attempts for one message on its day, the first included.
pub const ATTEMPTS: u16 = 3;
/// The number of failed days in a row after which a target leaves.
pub const FAILED_DAYS: u16 = 2;

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider accepted the message under this id.
    Accepted {
        provider_id: String,
        /// The provider's names for the recipient, where they differ from the number that it was given.
        names: Vec<String>,
    },
    /// The message was certainly not accepted.
    Refused(Refusal),
    /// It is unknown whether the message was accepted.
    Unknown { error: String },
}

/// The reason why a message was not accepted, and the reaction to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The provider's text, after its error code if there is one: `131026: message undeliverable`.
    pub error: String,
    pub reaction: Reaction,
}

/// The longest text that is kept of a provider's answer, in characters.
const LONGEST: usize = 1_000;

impl Outcome {
    /// Returns the outcome with text that can be stored and shown: shortened, and without characters that Postgres or a
    /// terminal rejects.
    #[must_use]
    pub fn presentable(self) -> Self {
        let is_fine = |text: &str| text.len() <= LONGEST && !text.contains(char::is_control);
        let clean = |text: String| {
            if is_fine(&text) { text } else { text.chars().filter(|c| !c.is_control()).take(LONGEST).collect() }
        };
        match self {
            Self::Accepted { provider_id, names } => {
                Self::Accepted { provider_id: clean(provider_id), names: names.into_iter().map(clean).collect() }
            }
            Self::Refused(Refusal { error, reaction }) => Self::refused(clean(error), reaction),
            Self::Unknown { error } => Self::Unknown { error: clean(error) },
        }
    }

    pub fn accepted(provider_id: impl Into<String>) -> Self {
        Self::Accepted { provider_id: provider_id.into(), names: Vec::new() }
    }

    pub fn refused(error: impl Into<String>, reaction: Reaction) -> Self {
        Self::Refused(Refusal { error: error.into(), reaction })
    }
}

/// The reaction that a refusal asks for. The channel maps its provider's error codes to reactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The same day is attempted again, after at least this long; `None` means a growing backoff.
    Retry { after: Option<TimeDelta> },
    /// The sender is too fast: its whole lane waits, and the attempt does not count. `None` leaves the wait to the
    /// lane.
    Throttle { after: Option<TimeDelta> },
    /// Nothing is sent today, through nobody's fault: the sequence continues tomorrow.
    SkipDay,
    /// The message is at fault: its day fails.
    FailDay,
    /// The message does not fit the channel for this person: its day fails, and nobody else is concerned.
    Unfit,
    /// The person cannot be reached through this channel.
    Leave,
    /// The person has no address for this channel: they leave, and nobody else is concerned.
    NoAddress,
    /// The person wants no messages.
    Suppress,
    /// The campaign's content is at fault: the run waits for another revision.
    PauseRun,
    /// The account is at fault, or in danger: it waits for a person.
    PauseAccount,
    /// The channel accepts nothing, from any account.
    PauseChannel,
}

impl Reaction {
    /// Returns true if the refusal counts against the account's health.
    ///
    /// Temporary trouble, such as a network outage, does not count.
    pub const fn is_failure(self) -> bool {
        match self {
            Self::FailDay | Self::Leave => true,
            Self::Retry { .. }
            | Self::Throttle { .. }
            | Self::SkipDay
            | Self::Unfit
            | Self::NoAddress
            | Self::Suppress
            | Self::PauseRun
            | Self::PauseAccount
            | Self::PauseChannel => false,
        }
    }

    /// Returns true if the refusal follows from the facts of one person, so that it tells nothing about the account:
    /// the send statistics leave the attempt out.
    pub const fn is_of_one_person(self) -> bool {
        matches!(self, Self::Unfit | Self::NoAddress)
    }
}

/// The effect on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Following {
    /// The target continues as planned.
    Nothing,
    /// All days are done; this one was sent or skipped.
    Finish,
    /// The same day is due again at this instant.
    Retry {
        due_at: Timestamp,
    },
    /// The day is lost; `failed_days` counts the failed days in a row, this one included.
    DayFailed {
        failed_days: u16,
    },
    /// The day is lost, and it was the last one.
    LastDayFailed,
    Leave(Exit),
}

/// The effect beyond the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// The account's lane waits this long; `None` means longer each time in a row.
    SlowLane {
        after: Option<TimeDelta>,
    },
    /// The phone is suppressed.
    Suppress,
    PauseRun,
    PauseAccount,
    PauseChannel,
}

/// All effects of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeEffects {
    pub event: Event,
    pub following: Following,
    pub consequence: Option<Consequence>,
    /// Nothing left, so the message's share of the daily quota is given back.
    pub give_back: bool,
    /// The attempt counts towards [`ATTEMPTS`].
    pub counts: bool,
}

impl OutcomeEffects {
    /// Returns true if the outcome changes only the message, and neither its target nor its account.
    pub fn is_of_message_only(&self) -> bool {
        let follows = self.following != Following::Nothing || self.consequence.is_some() || self.give_back;
        // An unanswered attempt counts against the account's health.
        !follows && self.event != Event::LeaseExpired
    }

    /// Returns true if the message was accepted and nothing else follows.
    pub fn is_plain(&self) -> bool {
        self.event == Event::Accepted && self.is_of_message_only()
    }
}

/// The state of a message and its target at the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The attempts that count so far, this one included.
    pub attempts: u16,
    /// The failed days in a row before this one.
    pub failed_days: u16,
    /// The day is the last of the sequence.
    pub last: bool,
}

/// Returns the effects of a provider's later failure report for an accepted message: the target's exit, and the effect
/// beyond it.
///
/// The message is not sent again. The day is lost, and tomorrow's message takes the place of a retry.
pub fn failed_later(reaction: Reaction) -> (Option<Exit>, Option<Consequence>) {
    match reaction {
        Reaction::Retry { .. } | Reaction::SkipDay | Reaction::FailDay | Reaction::Unfit => (None, None),
        Reaction::Throttle { after } => (None, Some(Consequence::SlowLane { after })),
        Reaction::Leave | Reaction::NoAddress => (Some(Exit::Undeliverable), None),
        Reaction::Suppress => (Some(Exit::OptedOut), Some(Consequence::Suppress)),
        Reaction::PauseRun => (None, Some(Consequence::PauseRun)),
        Reaction::PauseAccount => (None, Some(Consequence::PauseAccount)),
        Reaction::PauseChannel => (None, Some(Consequence::PauseChannel)),
    }
}

/// Applies the outcome policy to one attempt.
pub fn judge(outcome: &Outcome, standing: Standing, now: Timestamp) -> OutcomeEffects {
    let kept = |event| {
        let following = match (standing.last, standing.failed_days) {
            (true, _) => Following::Finish,
            (false, 0) => Following::Nothing,
            (false, _) => Following::DayFailed { failed_days: 0 },
        };
        OutcomeEffects { event, following, consequence: None, give_back: false, counts: true }
    };
    match outcome {
        Outcome::Accepted { .. } => kept(Event::Accepted),
        Outcome::Unknown { .. } => kept(Event::LeaseExpired),
        Outcome::Refused(refusal) => refused(refusal.reaction, standing, now),
    }
}

fn refused(reaction: Reaction, standing: Standing, now: Timestamp) -> OutcomeEffects {
    let again = |due_at| OutcomeEffects {
        event: Event::Postponed,
        following: Following::Retry { due_at },
        consequence: None,
        give_back: true,
        counts: true,
    };
    let over = |following| OutcomeEffects { event: Event::Refused, following, ..again(now) };
    // An attempt that failed through no fault of the message does not count. The message stays due, and the restriction
    // elsewhere makes it wait.
    let blameless = |consequence| OutcomeEffects { consequence: Some(consequence), counts: false, ..again(now) };
    match reaction {
        Reaction::Retry { after } if standing.attempts < ATTEMPTS => {
            again(now + after.unwrap_or_else(|| backoff(standing.attempts)))
        }
        Reaction::Retry { .. } | Reaction::FailDay | Reaction::Unfit => over(day_failed(standing)),
        Reaction::SkipDay if standing.last => over(Following::Finish),
        Reaction::SkipDay => over(Following::Nothing),
        Reaction::Leave | Reaction::NoAddress => over(Following::Leave(Exit::Undeliverable)),
        Reaction::Suppress => {
            let consequence = Some(Consequence::Suppress);
            OutcomeEffects { consequence, ..over(Following::Leave(Exit::OptedOut)) }
        }
        Reaction::Throttle { after } => blameless(Consequence::SlowLane { after }),
        Reaction::PauseRun => blameless(Consequence::PauseRun),
        Reaction::PauseAccount => blameless(Consequence::PauseAccount),
        Reaction::PauseChannel => blameless(Consequence::PauseChannel),
    }
}

fn day_failed(standing: Standing) -> Following {
    let failed_days = standing.failed_days + 1;
    match (failed_days >= FAILED_DAYS, standing.last) {
        (true, _) => Following::Leave(Exit::Failed),
        (false, true) => Following::LastDayFailed,
        (false, false) => Following::DayFailed { failed_days },
    }
}

/// A person's finding about a message with an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    Sent,
    /// The message certainly did not leave.
    Failed,
}

/// Applies a person's finding. The target continued when the outcome became unknown, so nothing is sent again without
/// that person's knowledge.
pub fn resolve(finding: Finding) -> OutcomeEffects {
    let (event, give_back) = match finding {
        Finding::Sent => (Event::FoundSent, false),
        Finding::Failed => (Event::FoundUnsent, true),
    };
    OutcomeEffects { event, following: Following::Nothing, consequence: None, give_back, counts: true }
}

/// Returns the backoff after an attempt: 2 minutes, then 8.
fn backoff(attempts: u16) -> TimeDelta {
    TimeDelta::minutes(2 << (2 * (i64::from(attempts.max(1)) - 1)))
}

#[cfg(test)]
mod tests {
    use super::{Finding, Following, Outcome, Reaction, Standing, judge, resolve};
    use crate::core::domain::Timestamp;
    use crate::core::lifecycle::message;
    use crate::core::lifecycle::message::State;

    fn now() -> Timestamp {
        "2026-12-01T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn table() {
        let refused = |reaction| Outcome::refused("no", reaction);
        let outcomes = [
            ("accepted", Outcome::accepted("x")),
            ("unknown", Outcome::Unknown { error: "timeout".into() }),
            ("retry", refused(Reaction::Retry { after: None })),
            ("throttle", refused(Reaction::Throttle { after: None })),
            ("skip day", refused(Reaction::SkipDay)),
            ("fail day", refused(Reaction::FailDay)),
            ("unfit", refused(Reaction::Unfit)),
            ("leave", refused(Reaction::Leave)),
            ("no address", refused(Reaction::NoAddress)),
            ("suppress", refused(Reaction::Suppress)),
            ("pause run", refused(Reaction::PauseRun)),
            ("pause account", refused(Reaction::PauseAccount)),
            ("pause channel", refused(Reaction::PauseChannel)),
        ];
        let mut table = String::new();
        for (name, outcome) in &outcomes {
            for (attempts, failed_days, last) in
                [(1, 0, false), (2, 0, false), (3, 0, false), (3, 1, false), (1, 1, false), (1, 0, true), (3, 0, true)]
            {
                let s = judge(outcome, Standing { attempts, failed_days, last }, now());
                let state = message::step(State::Sending, s.event).unwrap();
                table += &format!(
                    "{name:<13} attempt {attempts} failed days {failed_days} {:<8} → {state}, {:?}{}{}{}\n",
                    if last { "last day" } else { "" },
                    s.following,
                    if s.give_back { ", quota back" } else { "" },
                    if s.counts { "" } else { ", no attempt" },
                    s.consequence.map(|c| format!(", {c:?}")).unwrap_or_default(),
                );
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn an_operator_finding_resolves_only_uncertain_messages() {
        for (finding, after, give_back) in [(Finding::Sent, State::Sent, false), (Finding::Failed, State::Failed, true)]
        {
            let settlement = resolve(finding);
            assert_eq!(message::step(State::Uncertain, settlement.event), Ok(after));
            assert_eq!((settlement.following, settlement.give_back), (Following::Nothing, give_back));
        }
        for state in State::ALL.into_iter().filter(|state| *state != State::Uncertain) {
            for finding in [Finding::Sent, Finding::Failed] {
                assert!(message::step(state, resolve(finding).event).is_err(), "{state}");
            }
        }
    }

    #[test]
    fn a_provider_error_text_is_sanitized_and_shortened() {
        let long = format!("no\0 such \u{1b}[2J number {}", "é".repeat(2_000));
        let Outcome::Unknown { error } = (Outcome::Unknown { error: long }).presentable() else { panic!() };
        assert!(error.starts_with("no such [2J number é") && error.chars().count() == 1_000, "{error}");
        let fine = Outcome::accepted("wamid.1");
        assert_eq!(fine.clone().presentable(), fine);
    }

    #[test]
    fn a_fault_of_one_persons_facts_is_no_failure_of_the_account() {
        for reaction in [Reaction::Unfit, Reaction::NoAddress] {
            assert!(reaction.is_of_one_person() && !reaction.is_failure());
            let standing = Standing { attempts: 1, failed_days: 0, last: false };
            assert_eq!(judge(&Outcome::refused("no", reaction), standing, now()).consequence, None);
            assert_eq!(super::failed_later(reaction).1, None);
        }
        assert!(Reaction::FailDay.is_failure() && !Reaction::FailDay.is_of_one_person());
    }

    #[test]
    fn an_unknown_outcome_is_never_retried() {
        for attempts in 1..5 {
            for last in [false, true] {
                let standing = Standing { attempts, failed_days: 1, last };
                let s = judge(&Outcome::Unknown { error: String::new() }, standing, now());
                assert!(!s.give_back && !matches!(s.following, Following::Retry { .. }));
            }
        }
    }
}
