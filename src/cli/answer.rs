//! The one-sentence answer to "why does this person not get their message?".

use chrono::TimeDelta;
use serde::Serialize;

use super::layout::when;
use super::table::Tone;
use crate::core::dispatch::gate::{Hold, Question, Verdict, decide};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::run::Phase;
use crate::core::lifecycle::target::Exit;
use crate::core::plan::forecast::{NextMessage, Wait};
use crate::store::Store;
use crate::store::query::{Asked, Case, Circumstances, Standing};

/// The state of a target, with the next change to expect.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) verdict: Word,
    /// A sentence for people.
    pub(super) sentence: String,
    /// The next instant at which something changes by itself; null when only an event can change it.
    pub(super) next: Option<Change>,
    /// The earliest instant the message can leave, as known now; null when it does not leave or waits for an event.
    pub(super) earliest: Option<Timestamp>,
}

/// A forecast counts in steps, so a smaller difference says nothing.
const FORESEEN_LATER: TimeDelta = TimeDelta::hours(1);

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    Send,
    NotDue,
    Hold,
    Exit,
    /// The last message has been sent.
    AwaitingOutcome,
    /// The campaign has been removed or is being replaced.
    NotInForce,
    Completed,
    Exited,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    pub(super) at: Timestamp,
    pub(super) what: &'static str,
}

impl Answer {
    /// Answers for `case` as of `now`.
    pub(super) fn new(case: &Case, now: Timestamp) -> Self {
        let (target, circumstances) = (&case.target, &case.circumstances);
        let day = target.day;
        let ended = circumstances.ended_at.map_or_else(String::new, |at| format!(" {}", when(at, now)));
        let over = |verdict, sentence| Self { verdict, sentence, next: None, earliest: None };
        match (target.state, target.next_due_at, &case.asked) {
            (Standing::Completed, ..) => {
                over(Word::Completed, format!("Completed{ended}: day {day} was the last of the sequence."))
            }
            (Standing::Exited, ..) => {
                let why = target.exit_reason.map_or("nobody knows why", Exit::meaning);
                over(Word::Exited, format!("Left{ended}, because {why}."))
            }
            (Standing::Active, None, _) => {
                over(Word::AwaitingOutcome, format!("Day {day}, the last one, is out; its outcome ends the sequence."))
            }
            (Standing::Active, Some(_), None) => {
                over(Word::NotInForce, format!("Day {day} waits: the campaign is not in force any more."))
            }
            (Standing::Active, Some(due), Some(asked)) => {
                let (verdict, sentence) = Waiting { case, asked, due, now }.verdict_text();
                Self { verdict, sentence, next: next(due, &asked.now, now), earliest: asked.earliest }
            }
        }
    }

    /// Answers for `case` as of `now`, with the forecast of its account: other campaigns may begin or end before the
    /// message is due, and other people may go first.
    pub(super) async fn foreseen(case: &Case, store: &Store, now: Timestamp) -> anyhow::Result<Self> {
        let answer = Self::new(case, now);
        let (target, (_, referral)) = (&case.target, case.circumstances.person.keys());
        let (Some(earliest), Some(due)) = (answer.earliest, target.next_due_at) else { return Ok(answer) };
        let next = store.next_message(&target.account, (&target.campaign, referral), now).await?;
        Ok(match next {
            Some(next) if next.at.is_none_or(|at| at > earliest + FORESEEN_LATER) => {
                let goes = next.at.map_or("does not go out".to_owned(), |at| format!("goes out {}", when(at, now)));
                let (day, due, why) = (target.day, when(due, now), foreseen_why(&next));
                let is = if target.next_due_at.is_some_and(|due| due > now) { "is" } else { "was" };
                let sentence = format!("Day {day} {is} due {due}; as foreseen it {goes}{why}.");
                Self { sentence, earliest: next.at, ..answer }
            }
            _ => answer,
        })
    }

    pub(super) fn tone(&self) -> Tone {
        match self.verdict {
            Word::Send | Word::NotDue | Word::AwaitingOutcome => Tone::Good,
            Word::Hold | Word::NotInForce => Tone::Waiting,
            Word::Exit => Tone::Bad,
            Word::Completed | Word::Exited => Tone::Faint,
        }
    }
}

/// Returns the reason for which a forecast message leaves later, with the sign before it.
fn foreseen_why(next: &NextMessage) -> String {
    match (&next.waits, next.ahead) {
        (Some(Wait::Run(status)), _) => format!(", because the run will be {}: {}", status.phase, status.detail),
        (_, 1) => ", because 1 message goes first".to_owned(),
        (_, ahead) if ahead > 0 => format!(", because {ahead} messages go first"),
        (Some(Wait::Gate(hold)), _) => format!(", because {}", hold.meaning()),
        (None, _) => String::new(),
    }
}

/// An active target that waits for a message, with the question put to the gate.
struct Waiting<'a> {
    case: &'a Case,
    asked: &'a Asked,
    due: Timestamp,
    now: Timestamp,
}

impl Waiting<'_> {
    fn verdict_text(&self) -> (Word, String) {
        let (day, due) = (self.case.target.day, when(self.due, self.now));
        if let Some(then) = &self.asked.when_due {
            return (Word::NotDue, format!("Day {day} is due {due}{}", self.ahead(then)));
        }
        let (word, sentence) = self.at_hand();
        (word, format!("Day {day} was due {due}{sentence}"))
    }

    /// Describes the verdict expected at the due time, from what is known now.
    fn ahead(&self, then: &Question) -> String {
        match decide(then) {
            Verdict::Send => " and goes out then, as things stand.".to_owned(),
            Verdict::Hold { reason, until } => {
                format!("; as things stand it is held then{}: {}.", self.until(until), self.why(reason, until))
            }
            Verdict::Exit(exit) => {
                format!("; as things stand the person leaves instead, because {}.", exit.meaning())
            }
        }
    }

    fn at_hand(&self) -> (Word, String) {
        match decide(&self.asked.now) {
            Verdict::Send => (Word::Send, " and goes out at the next turn of a sender: nothing holds it.".to_owned()),
            Verdict::Hold { reason, until } => {
                (Word::Hold, format!(" and is held{}: {}.", self.until(until), self.why(reason, until)))
            }
            Verdict::Exit(exit) => {
                (Word::Exit, format!(", but the person leaves at the next turn, because {}.", exit.meaning()))
            }
        }
    }

    fn until(&self, until: Option<Timestamp>) -> String {
        until.map_or_else(String::new, |at| format!(" until {}", when(at, self.now)))
    }

    /// Returns the reason. Adds the earliest send time when the message still waits after this hold ends.
    fn why(&self, reason: Hold, until: Option<Timestamp>) -> String {
        let Circumstances { run_phase, run_detail, .. } = &self.case.circumstances;
        let why = match reason {
            Hold::RunNotActive if *run_phase != Phase::Active => format!("the run is {run_phase}: {run_detail}"),
            _ => reason.meaning().to_owned(),
        };
        match self.asked.earliest.filter(|at| until.is_some_and(|until| until < *at)) {
            Some(at) => format!("{why}; it goes out {} at the earliest", when(at, self.now)),
            None => why,
        }
    }
}

fn next(due: Timestamp, question: &Question, now: Timestamp) -> Option<Change> {
    let held = match decide(question) {
        _ if due > now => None,
        Verdict::Hold { reason, until } => until.map(|at| (at, ending(reason))),
        Verdict::Send | Verdict::Exit(_) => return Some(Change { at: now, what: "the next turn of a sender" }),
    };
    let changes = [
        Some((due, "the message is due")),
        held,
        question.account.halt.and_then(|halt| halt.until).map(|at| (at, ending(Hold::RunRestriction))),
        question.run.end_at.map(|at| (at, "the run ends")),
        question.account.subscription_ends_at.map(|at| (at, "the subscription of the account ends")),
    ];
    let ahead = changes.into_iter().flatten().filter(|(at, _)| *at > now);
    ahead.min_by_key(|(at, _)| *at).map(|(at, what)| Change { at, what })
}

/// Names the event that ends a reason to hold.
const fn ending(reason: Hold) -> &'static str {
    match reason {
        Hold::OutsideWindow => "the window opens",
        Hold::AccountCap | Hold::CampaignCap => "the quota of a new day begins",
        Hold::WrittenToday => "a new day begins",
        Hold::Pacing | Hold::Throttled => "the next slot comes",
        Hold::RunRestriction => "it is tried again",
        Hold::RunNotActive
        | Hold::SendingOff
        | Hold::SubscriptionExpired
        | Hold::Disconnected
        | Hold::ConsentMissing
        | Hold::NearOptOut => "what holds it may be over",
    }
}
