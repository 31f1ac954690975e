//! The selection itself: it decides for every due person, one after the other.

use std::collections::{BTreeMap, HashSet};

use super::{Asking, Attempt, Candidate, Lane, LaneRun};
use crate::core::dispatch::gate;
use crate::core::dispatch::gate::{Hold, Question, Scope, Verdict};
use crate::core::dispatch::pacing;
use crate::core::dispatch::pacing::Pace;
use crate::core::dispatch::program::{CampaignProgram, Program, Rendered};
use crate::core::domain::{CampaignId, MessageKey, NaiveDate, Name, Phone, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::target::Exit;

/// The due people of a lane: from each run at most its batch limit.
#[derive(Debug, Default)]
pub struct Due {
    /// The people by priority, then longest overdue first.
    pub candidates: Vec<Candidate>,
    /// The runs that may have more due people than these.
    pub more: Vec<CampaignId>,
}

/// The writes of the claiming transaction.
#[derive(Debug, Default)]
pub struct Selection {
    pub sends: Vec<Send>,
    pub exits: Vec<(TargetKey, Exit)>,
    /// The targets whose day no longer exists, because the sequence became shorter.
    pub finished: Vec<TargetKey>,
    /// The targets that the gate holds, each with the instant before which it is not due.
    pub held: Vec<(TargetKey, Timestamp)>,
    /// The runs that an account restriction stops. Their next reconciliation pauses them.
    pub halted: Vec<CampaignId>,
    /// The messages that could not be rendered: their runs pause.
    pub faults: Vec<(CampaignId, Detail)>,
    /// The instant of the selection.
    pub at: Timestamp,
    /// The account's local day, in which the messages count.
    pub today: NaiveDate,
    pub pace: Pace,
    /// The instant to ask each run again, `None` when only an event can change the answer.
    pub not_before: Vec<(CampaignId, Option<Timestamp>)>,
}

/// A message to hand to the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    pub key: MessageKey,
    pub phone: Phone,
    pub email: Option<String>,
    /// The channel; `None` means the built-in sandbox.
    pub channel: Option<Name>,
    pub content: Rendered,
    /// The person wrote to the account within the last 24 hours. The claim reads this, only for channels that need it.
    pub in_conversation: bool,
    /// The message goes as its WhatsApp template. The claim decides it, with the conversation.
    pub as_template: bool,
    pub due_at: Timestamp,
    pub attempt: Attempt,
    /// The following day and its due time; `None` after the last.
    pub next: Option<(u16, Timestamp)>,
    pub failed_days: u16,
}

/// Decides for every due person, in their order.
///
/// People of a higher priority go first. If more of them are due than were read, the others wait for a later selection.
pub fn select(lane: &Lane, runs: &[LaneRun], due: Due, program: &Program, now: Timestamp) -> Selection {
    let mut turn = Turn::new(lane, runs, program, now);
    let mut last = None;
    for candidate in due.candidates {
        let Some(place) = turn.place(candidate.campaign) else { continue };
        let priority = place.1.spec.priority;
        if last.is_some_and(|last| last < priority) && turn.anybody_goes_before(priority, &due.more) {
            break;
        }
        last = Some(priority);
        if turn.closed.contains(&candidate.campaign) {
            continue;
        }
        if let Some(Scope::Account) = turn.decide(place, candidate) {
            break;
        }
    }
    turn.finish()
}

/// A run and its campaign.
type Place<'a> = (&'a LaneRun, &'a CampaignProgram);

/// The progress of a selection.
struct Turn<'a> {
    asking: Asking<'a>,
    runs: &'a [LaneRun],
    program: &'a Program,
    lane_taken: u32,
    run_taken: BTreeMap<CampaignId, u32>,
    written: HashSet<ReferralId>,
    closed: HashSet<CampaignId>,
    selection: Selection,
}

impl<'a> Turn<'a> {
    fn new(lane: &'a Lane, runs: &'a [LaneRun], program: &'a Program, now: Timestamp) -> Self {
        let today = lane.zone.date(now);
        Self {
            asking: Asking { lane, now },
            runs,
            program,
            lane_taken: lane.taken.of(today),
            run_taken: runs.iter().map(|run| (run.campaign, run.taken.of(today))).collect(),
            written: HashSet::new(),
            closed: HashSet::new(),
            selection: Selection { at: now, today, pace: lane.pace_at(now), ..Selection::default() },
        }
    }

    fn place(&self, campaign: CampaignId) -> Option<Place<'a>> {
        let run = self.runs.iter().find(|run| run.campaign == campaign)?;
        Some((run, self.program.campaign(campaign)?))
    }

    /// Returns the question for a run as a whole, with what this selection has used already.
    fn question(&self, (run, campaign): Place<'_>) -> Question {
        let taken = self.run_taken.get(&run.campaign).copied().unwrap_or_default();
        let question = self.asking.question(campaign, run, self.lane_taken, taken);
        Question { next_slot_at: self.selection.pace.next_slot_at, ..question }
    }

    /// Returns true if a person of a higher priority was not read and could get a message.
    fn anybody_goes_before(&self, priority: i32, more: &[CampaignId]) -> bool {
        let unfinished = more.iter().filter(|campaign| !self.closed.contains(campaign));
        let mut before =
            unfinished.filter_map(|campaign| self.place(*campaign)).filter(|(_, c)| c.spec.priority < priority);
        before.any(|place| gate::decide(&self.question(place)) == Verdict::Send)
    }

    /// Asks the gate about one person. Returns the scope of a hold that affects more than this person.
    fn decide(&mut self, place: Place<'_>, candidate: Candidate) -> Option<Scope> {
        let (run, campaign) = place;
        let account = self.asking.lane.account;
        let target = TargetKey { account, campaign: run.campaign, referral: candidate.referral };
        if candidate.day > campaign.cadence.days() {
            self.selection.finished.push(target);
            return None;
        }
        let mut person = candidate.person(self.selection.today);
        if self.written.contains(&candidate.referral) {
            person.last_written_on = Some(self.selection.today);
        }
        let question = self.asking.about(&self.question(place), campaign, &candidate.recipient, person);
        match gate::decide(&question) {
            Verdict::Exit(exit) => self.selection.exits.push((target, exit)),
            Verdict::Hold { reason, until } => {
                let scope = question.scope(reason);
                match scope {
                    Scope::Person => self.selection.held.push((target, until.unwrap_or(question.day_ends_at))),
                    Scope::Run => drop(self.closed.insert(run.campaign)),
                    Scope::Account => {}
                }
                return Some(scope);
            }
            Verdict::Send => match self.asking.send(campaign, target, candidate) {
                Ok(send) => self.take(send),
                Err(text) => {
                    self.closed.insert(run.campaign);
                    self.selection.faults.push((run.campaign, Detail::NotRendered { text }));
                }
            },
        }
        None
    }

    fn take(&mut self, send: Send) {
        self.lane_taken += 1;
        *self.run_taken.entry(send.key.target.campaign).or_default() += 1;
        self.written.insert(send.key.target.referral);
        let Asking { lane, now } = self.asking;
        self.selection.pace = pacing::after_message(&lane.policy.pacing, self.selection.pace, now, seed(&send.key));
        self.selection.sends.push(send);
    }

    /// Returns the result, with the instant to ask each run again.
    fn finish(mut self) -> Selection {
        for run in self.runs {
            let verdict = self.place(run.campaign).map(|place| gate::decide(&self.question(place)));
            let not_before = match verdict {
                None => None,
                Some(Verdict::Send | Verdict::Exit(_)) => Some(self.asking.now),
                Some(Verdict::Hold { reason, until }) => {
                    if reason == Hold::RunRestriction {
                        self.selection.halted.push(run.campaign);
                    }
                    until
                }
            };
            self.selection.not_before.push((run.campaign, not_before));
        }
        self.selection
    }
}

/// Returns a seed that does not depend on campaign ids.
fn seed(key: &MessageKey) -> u64 {
    let part = |n: i64| n.cast_unsigned();
    part(key.target.referral.0).rotate_left(24) ^ part(i64::from(key.day))
}
