//! The turn itself: everybody who is due is asked about, one after the other.

use std::collections::{BTreeMap, HashSet};

use super::{Asking, Attempt, Candidate, Lane, LaneRun};
use crate::core::dispatch::gate;
use crate::core::dispatch::gate::{Hold, Question, Scope, Verdict};
use crate::core::dispatch::pacing;
use crate::core::dispatch::pacing::Pace;
use crate::core::dispatch::program::{CampaignProgram, Program, Rendered};
use crate::core::domain::{CampaignId, MessageKey, NaiveDate, Name, Phone, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::target::Exit;

/// Who is due in a lane: of each run at most as many as were asked for.
#[derive(Debug, Default)]
pub struct Due {
    /// By priority, then longest overdue first.
    pub candidates: Vec<Candidate>,
    /// Runs in which more people may be due than these.
    pub more: Vec<CampaignId>,
}

/// What the claiming transaction must write.
#[derive(Debug, Default)]
pub struct Selection {
    pub sends: Vec<Send>,
    pub exits: Vec<(TargetKey, Exit)>,
    /// The sequence has become shorter than where they stand.
    pub finished: Vec<TargetKey>,
    /// Not due before this instant.
    pub held: Vec<(TargetKey, Timestamp)>,
    /// Runs that are stopped for the sake of their account: whoever looks at them pauses them.
    pub halted: Vec<CampaignId>,
    /// Messages that could not be rendered: their runs pause.
    pub faults: Vec<(CampaignId, String)>,
    /// The instant of the turn.
    pub at: Timestamp,
    /// The account's local day, to which the messages count.
    pub today: NaiveDate,
    pub pace: Pace,
    /// For every run: when it is worth asking again, `None` when only an event can change it.
    pub not_before: Vec<(CampaignId, Option<Timestamp>)>,
}

/// A message to hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    pub key: MessageKey,
    pub phone: Phone,
    pub email: Option<String>,
    /// `None`: the built-in sandbox.
    pub channel: Option<Name>,
    pub content: Rendered,
    pub due_at: Timestamp,
    pub attempt: Attempt,
    /// The following day and when it is due; `None` after the last.
    pub next: Option<(u16, Timestamp)>,
    pub failed_days: u16,
}

/// Decides for everybody who is due, in their order. Nobody goes before people of a higher priority, those included who are
/// due and were not asked for: then the rest has its turn after them.
pub fn draw(lane: &Lane, runs: &[LaneRun], due: Due, program: &Program, now: Timestamp) -> Selection {
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

/// How far a turn has come.
struct Turn<'a> {
    asking: Asking<'a>,
    runs: &'a [LaneRun],
    program: &'a Program,
    lane_taken: u32,
    run_taken: BTreeMap<CampaignId, u32>,
    written: HashSet<ReferralId>,
    closed: HashSet<CampaignId>,
    draw: Selection,
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
            draw: Selection { at: now, today, pace: lane.pace_at(now), ..Selection::default() },
        }
    }

    fn place(&self, campaign: CampaignId) -> Option<Place<'a>> {
        let run = self.runs.iter().find(|run| run.campaign == campaign)?;
        Some((run, self.program.campaign(campaign)?))
    }

    /// The question about a run as a whole, with what this turn has taken already.
    fn question(&self, (run, campaign): Place<'_>) -> Question {
        let taken = self.run_taken.get(&run.campaign).copied().unwrap_or_default();
        let question = self.asking.question(campaign, run, self.lane_taken, taken);
        Question { next_slot_at: self.draw.pace.next_slot_at, ..question }
    }

    /// Whether somebody of a higher priority than this was not asked for and could be written to.
    fn anybody_goes_before(&self, priority: i32, more: &[CampaignId]) -> bool {
        let unfinished = more.iter().filter(|campaign| !self.closed.contains(campaign));
        let mut before =
            unfinished.filter_map(|campaign| self.place(*campaign)).filter(|(_, c)| c.spec.priority < priority);
        before.any(|place| gate::decide(&self.question(place)) == Verdict::Send)
    }

    /// Asks the gate about one of them. What holds up more than this person comes back.
    fn decide(&mut self, place: Place<'_>, candidate: Candidate) -> Option<Scope> {
        let (run, campaign) = place;
        let account = self.asking.lane.account;
        let target = TargetKey { account, campaign: run.campaign, referral: candidate.referral };
        if candidate.day > campaign.cadence.days() {
            self.draw.finished.push(target);
            return None;
        }
        let mut person = candidate.person(self.draw.today);
        if self.written.contains(&candidate.referral) {
            person.last_written_on = Some(self.draw.today);
        }
        let question = Question { person: Some(person), ..self.question(place) };
        match gate::decide(&question) {
            Verdict::Exit(exit) => self.draw.exits.push((target, exit)),
            Verdict::Hold { reason, until } => {
                let scope = reason.scope();
                match scope {
                    Scope::Person => self.draw.held.push((target, until.unwrap_or(question.day_ends_at))),
                    Scope::Run => drop(self.closed.insert(run.campaign)),
                    Scope::Account => {}
                }
                return Some(scope);
            }
            Verdict::Send => match self.asking.send(campaign, target, candidate) {
                Ok(send) => self.take(send),
                Err(fault) => {
                    self.closed.insert(run.campaign);
                    self.draw.faults.push((run.campaign, fault));
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
        self.draw.pace = pacing::after_message(&lane.policy.pacing, self.draw.pace, now, seed(&send.key));
        self.draw.sends.push(send);
    }

    /// When each run is worth asking again, now that this turn is over.
    fn finish(mut self) -> Selection {
        for run in self.runs {
            let verdict = self.place(run.campaign).map(|place| gate::decide(&self.question(place)));
            let not_before = match verdict {
                None => None,
                Some(Verdict::Send | Verdict::Exit(_)) => Some(self.asking.now),
                Some(Verdict::Hold { reason, until }) => {
                    if reason == Hold::RunRestriction {
                        self.draw.halted.push(run.campaign);
                    }
                    until
                }
            };
            self.draw.not_before.push((run.campaign, not_before));
        }
        self.draw
    }
}

/// The same whatever number a campaign was given.
fn seed(key: &MessageKey) -> u64 {
    let part = |n: i64| n.cast_unsigned();
    part(key.target.referral.0).rotate_left(24) ^ part(i64::from(key.day))
}
