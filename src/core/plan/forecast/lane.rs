//! The days of one account: from one instant at which something can happen to the next.

use chrono::TimeDelta;

use super::agenda::Agenda;
use super::crowd::{Crowd, Group, Place, Turn};
use super::outlook::{Limit, Outlook};
use super::run::{Account, Run};
use super::state::{Among, Clock, Facts, State};
use crate::core::dispatch::gate;
use crate::core::dispatch::gate::{Hold, Question, Quota, Scope, Verdict};
use crate::core::dispatch::pacing::{Pace, stretch};
use crate::core::domain::{NaiveDate, Opening, Timestamp};
use crate::core::lifecycle::enrollment::room;
use crate::core::lifecycle::ordering::Peers;
use crate::core::lifecycle::run::acting;

/// Who is late is due again a sequence's wait after the message, each at an instant of their own: those who were written
/// to within this time count as one.
const GRAIN: TimeDelta = TimeDelta::minutes(30);
/// Postgres keeps no shorter time.
const TICK: TimeDelta = TimeDelta::microseconds(1);

/// What the gate says of a group.
enum Answer {
    Send(Box<Question>),
    /// They left, or wait for another day.
    Done,
    Held(Scope),
}

pub(super) struct Lane<'a> {
    account: &'a Account<'a>,
    runs: Vec<State<'a>>,
    /// What the runs see of each other.
    peers: Peers,
    agenda: Agenda,
    crowd: Crowd,
    clock: Clock,
    pace: Pace,
    /// The local day, and the messages of the account that left on it.
    taken: (NaiveDate, u32),
}

impl<'a> Lane<'a> {
    pub(super) fn new(account: &'a Account<'a>, runs: &[Run<'a>], groups: Vec<Group>, now: Timestamp) -> Self {
        let states: Vec<State<'a>> = runs.iter().map(|run| State::new(*run, account.zone, now)).collect();
        let mut peers = Peers::default();
        for state in &states {
            peers.set(state.run.id, state.peer(now));
        }
        Self {
            account,
            runs: states,
            peers,
            agenda: Agenda::new(runs, account.order),
            crowd: Crowd::new(groups, runs.len()),
            clock: Clock::start(account.zone, now),
            pace: account.pace,
            taken: (account.zone.date(now), account.taken),
        }
    }

    /// Looks ahead until nothing happens any more, at most until `horizon`.
    pub(super) fn run(mut self, horizon: Timestamp) -> Vec<Outlook> {
        let mut too_far = false;
        loop {
            if self.advance() | self.enroll() {
                continue;
            }
            self.write();
            if self.advance() {
                continue;
            }
            let Some(next) = self.next_event() else { break };
            if next > horizon {
                too_far = true;
                break;
            }
            self.clock.set(self.account.zone, next.max(self.clock.now + TICK));
        }
        let (facts, policy) = (self.facts(), self.account.policy);
        let runs = self.runs.into_iter().enumerate();
        runs.map(|(run, state)| {
            state.outlook(Facts {
                too_far,
                sending_off: !policy.sending.is_on(),
                enrollment_off: !policy.enrollment.is_on(),
                disconnected: !facts.connected,
                expired: facts.subscription_ends_at.is_some(),
                anybody_due: self.crowd.first(run).is_some(),
                anybody_stuck: self.crowd.is_stuck(run),
            })
        })
        .collect()
    }

    /// Moves the runs to the phases they should be in; `true` when one changed.
    fn advance(&mut self) -> bool {
        self.agenda.ring(self.clock.now);
        let (mut changed, mut from) = (false, 0);
        // Each sees what became of those before it; whoever came too early to see it looks again.
        while let Some((turn, run)) = self.agenda.next_stale(from) {
            changed |= self.look(run);
            from = turn + 1;
        }
        changed || !self.agenda.is_settled()
    }

    /// Moves one run; `true` when it changed.
    fn look(&mut self, run: usize) -> bool {
        let now = self.clock.now;
        let unable = self.facts().unable(now);
        let state = &mut self.runs[run];
        if state.is_over() {
            return false;
        }
        let before = state.peer(now);
        let among = Among { order: self.account.order, peers: &self.peers, policy: self.account.policy, unable };
        let moved = state.advance(self.crowd.active(run) > 0, among, now);
        let after = state.peer(now);
        self.agenda.note(run, state.run.spec.priority, state.is_active(), state.alarm(now));
        if moved && state.is_over() {
            self.crowd.close(run);
        }
        self.peers.set(state.run.id, after);
        if before != after {
            let (id, order) = (state.run.id, self.account.order);
            self.agenda.touch_all(order.concerned_by(id).chain(order.freed_by(id, &self.peers)));
        }
        moved
    }

    /// Makes the passes that are due; `true` when one was.
    fn enroll(&mut self) -> bool {
        let now = self.clock.now;
        let is_due = |run: &usize| self.runs[*run].pass_at.is_some_and(|at| at <= now);
        let due: Vec<usize> = self.agenda.active().filter(is_due).collect();
        for run in &due {
            self.pass(*run);
            self.agenda.touch(*run);
        }
        !due.is_empty()
    }

    fn pass(&mut self, run: usize) {
        let (now, spec) = (self.clock.now, self.runs[run].run.spec);
        let enrolls = self.account.policy.enrollment.is_on();
        let room = if enrolls { room(spec, self.runs[run].taken(self.clock.today)) } else { 0 };
        let mut room = u32::try_from(room).unwrap_or(u32::MAX);
        let (mut found, mut ripe_at, mut left) = (0, None::<Timestamp>, false);
        let first_due = self.runs[run].run.cadence.first(now);
        for id in self.crowd.waiting(run).collect::<Vec<_>>() {
            let Place::Waiting { from } = self.crowd.place(run, id) else { continue };
            if from > now {
                ripe_at = Some(ripe_at.map_or(from, |at| at.min(from)));
                continue;
            }
            let people = self.crowd.group(id).people.min(room);
            let excluded = spec.filter.exclude_current_targets && self.crowd.is_elsewhere(run, id);
            if excluded || people == 0 {
                left = true;
                continue;
            }
            left |= people < self.crowd.group(id).people;
            room -= people;
            found += people;
            let part = self.crowd.part(id, people);
            // As enrollment has it: a microsecond for each second of age keeps the newest first.
            let age = (now - self.crowd.group(part).registered_at).num_seconds().max(0);
            let due_at = first_due + TimeDelta::microseconds(age);
            self.place_at(run, part, Place::Active { day: 1, due_at });
        }
        self.runs[run].pass(enrolls, found, (ripe_at, left), &self.clock);
    }

    /// Moves a group; whether anybody is left in the run decides about it.
    fn place_at(&mut self, run: usize, id: usize, place: Place) {
        self.crowd.place_at(run, id, place);
        if self.crowd.active(run) == 0 {
            self.agenda.touch(run);
        }
    }

    /// Writes to everybody who may be written to now; at a pace, to those before something else happens.
    fn write(&mut self) {
        while let Some((run, turn)) = self.first() {
            match self.answer(run, turn) {
                Answer::Send(question) => {
                    self.send(run, turn, &question);
                    if self.pace.next_slot_at.is_some() {
                        self.look_on();
                    }
                }
                Answer::Done => {}
                Answer::Held(_) => return,
            }
        }
    }

    /// Asks the gate about a group that is due. Who leaves or waits for another day does so at once.
    fn answer(&mut self, run: usize, (_, _, id): Turn) -> Answer {
        let Place::Active { day, .. } = self.crowd.place(run, id) else { return Answer::Done };
        if day > self.runs[run].run.cadence.days() {
            self.place_at(run, id, Place::Over);
            return Answer::Done;
        }
        let mut question = self.question(run);
        let group = self.crowd.group(id);
        question.person = Some(gate::Person {
            paid: group.paid,
            consent: group.consent,
            suppressed: group.suppressed,
            // Whoever is on hold goes on once somebody has read what they wrote.
            near_opt_out: false,
            last_written_on: group.last_written_on,
            today: self.clock.today,
        });
        match gate::decide(&question) {
            Verdict::Send => return Answer::Send(Box::new(question)),
            Verdict::Exit(_) => self.place_at(run, id, Place::Over),
            Verdict::Hold { reason, until } => match (reason.scope(), until) {
                (Scope::Person, Some(due_at)) => {
                    self.runs[run].limited(Limit::OtherRun, self.clock.today);
                    self.place_at(run, id, Place::Active { day, due_at });
                }
                (Scope::Person, None) => self.place_at(run, id, Place::Stuck),
                (scope, _) => return Answer::Held(scope),
            },
        }
        Answer::Done
    }

    /// With whoever is written to at a slot a few more are looked at: those who leave or wait for another day do so then,
    /// and need no slot.
    fn look_on(&mut self) {
        for run in self.agenda.writing().collect::<Vec<_>>() {
            while let Some(turn) = self.due(run) {
                match self.answer(run, turn) {
                    Answer::Done => {}
                    Answer::Held(Scope::Run | Scope::Person) => break,
                    Answer::Held(Scope::Account) | Answer::Send(_) => return,
                }
            }
        }
    }

    /// The group of an active run that comes first, if it is due.
    fn due(&self, run: usize) -> Option<Turn> {
        let due = self.crowd.first(run).filter(|_| self.runs[run].is_active());
        due.filter(|(due_at, ..)| *due_at <= self.clock.now)
    }

    /// Has as many of the group written to as there is quota and, at a pace, time before something else happens.
    fn send(&mut self, run: usize, (due_at, _, id): Turn, question: &Question) {
        let Place::Active { day, .. } = self.crowd.place(run, id) else { return };
        let Clock { now, today, .. } = self.clock;
        let cadence = self.runs[run].run.cadence;
        // From here on they are late, and the next day counts from the message.
        let late_at = cadence.next(day, due_at, due_at).map(|(_, planned)| planned);
        let alike = late_at.map(|late_at| if late_at > now { late_at } else { now + GRAIN });
        let until = alike.into_iter().fold(self.undisturbed(run), Timestamp::min);
        let most = self.crowd.group(id).people;
        let most = most.min(question.account_quota.left()).min(question.campaign_quota.left());
        let stretch = stretch(&self.account.policy.pacing, self.pace, now, until, most);
        let part = self.crowd.part(id, stretch.messages);
        self.crowd.write(part, today);
        let next = cadence.next(day, due_at, now);
        let place = next.map_or(Place::Over, |(day, due_at)| Place::Active { day, due_at });
        self.place_at(run, part, place);
        self.runs[run].wrote(stretch.messages, now, today);
        let taken = if self.taken.0 == today { self.taken.1 } else { 0 };
        self.taken = (today, taken + stretch.messages);
        self.pace = stretch.pace;
        self.clock.now = stretch.last_at;
    }

    /// Who is written to first among all who are due in runs that may write; notes what the others wait for.
    fn first(&mut self) -> Option<(usize, Turn)> {
        let mut best: Option<(Timestamp, usize, Turn)> = None;
        for run in self.agenda.writing().collect::<Vec<_>>() {
            if best.is_some_and(|(_, other, _)| self.priority(other) < self.priority(run)) {
                break;
            }
            let Some(turn) = self.due(run) else { continue };
            match gate::decide(&self.question(run)) {
                Verdict::Hold { reason, until } => self.note(run, reason, until),
                Verdict::Send | Verdict::Exit(_) => {
                    let found = (turn.0, run, turn);
                    best = Some(best.map_or(found, |best| best.min(found)));
                }
            }
        }
        best.map(|(_, run, turn)| (run, turn))
    }

    fn note(&mut self, run: usize, hold: Hold, until: Option<Timestamp>) {
        let (state, clock) = (&mut self.runs[run], &self.clock);
        match hold {
            Hold::AccountCap => state.limited(Limit::AccountCap, clock.today),
            Hold::CampaignCap => state.limited(Limit::CampaignCap, clock.today),
            Hold::Pacing => state.paced(clock.today),
            Hold::OutsideWindow => state.shut(until, clock),
            Hold::RunNotActive
            | Hold::SendingOff
            | Hold::SubscriptionExpired
            | Hold::Disconnected
            | Hold::RunRestriction
            | Hold::Throttled
            | Hold::ConsentMissing
            | Hold::NearOptOut
            | Hold::WrittenToday => {}
        }
    }

    fn priority(&self, run: usize) -> i32 {
        self.runs[run].run.spec.priority
    }

    /// Until when whoever comes first in `run` goes on coming first, and may be written to.
    fn undisturbed(&mut self, run: usize) -> Timestamp {
        let now = self.clock.now;
        let mut until = self.clock.day_ends_at;
        if let Opening::Open(closes_at) = self.runs[run].opening(now) {
            until = until.min(closes_at);
        }
        until = self.agenda.next_alarm(now).into_iter().fold(until, Timestamp::min);
        for other in self.agenda.active().collect::<Vec<_>>() {
            let writes_at = if other == run { None } else { self.disturbs_at(run, other) };
            let moves = [self.runs[other].pass_at, writes_at];
            until = moves.into_iter().flatten().filter(|at| *at > now).fold(until, Timestamp::min);
        }
        until
    }

    /// The next instant at which something may happen.
    fn next_event(&mut self) -> Option<Timestamp> {
        let mut next = self.agenda.next_alarm(self.clock.now);
        for run in self.agenda.active().collect::<Vec<_>>() {
            let moves = [self.runs[run].pass_at, self.writes_at(run)];
            next = moves.into_iter().flatten().chain(next).min();
        }
        next
    }

    /// When somebody of `other` may next come before who is first in `run`.
    fn disturbs_at(&mut self, run: usize, other: usize) -> Option<Timestamp> {
        let now = self.clock.now;
        if self.priority(other) > self.priority(run) {
            return None;
        }
        match self.may_write_at(other)? {
            // Whoever is due in it already comes later, or would be the first.
            at if at <= now => self.crowd.next_due(other, now).filter(|_| self.priority(other) < self.priority(run)),
            at => self.crowd.first(other).map(|(due_at, ..)| due_at.max(at)),
        }
    }

    /// When the run next writes to somebody.
    fn writes_at(&mut self, run: usize) -> Option<Timestamp> {
        let at = self.may_write_at(run)?;
        self.crowd.first(run).map(|(due_at, ..)| due_at.max(at))
    }

    /// From when on the run may write, whoever is due; `None` when nothing that is foreseen allows it.
    fn may_write_at(&mut self, run: usize) -> Option<Timestamp> {
        match gate::decide(&self.question(run)) {
            _ if !self.runs[run].is_active() => None,
            Verdict::Send | Verdict::Exit(_) => Some(self.clock.now),
            Verdict::Hold { until, .. } => until,
        }
    }

    /// The question for a run as a whole.
    fn question(&mut self, run: usize) -> Question {
        let facts = self.facts();
        let taken = if self.taken.0 == self.clock.today { self.taken.1 } else { 0 };
        let clock = &self.clock;
        let state = &mut self.runs[run];
        let spec = state.run.spec;
        Question {
            now: clock.now,
            run: gate::Run {
                phase: acting(state.status.phase, state.status.reason, spec.state),
                end_at: state.end_at,
                exit_on_paid: spec.exit_on_paid,
                consent: spec.consent,
            },
            sending: self.account.policy.sending.is_on(),
            account: facts,
            person: None,
            opening: state.opening(clock.now),
            account_quota: Quota { cap: self.account.policy.messages_per_day, taken },
            campaign_quota: Quota { cap: spec.limits.messages_per_day, taken: state.written(clock) },
            day_ends_at: clock.day_ends_at,
            next_slot_at: self.pace.next_slot_at,
        }
    }

    /// The account as it is; that its subscription ends later is not foreseen.
    fn facts(&self) -> gate::Account {
        let facts = self.account.facts;
        let ended = facts.subscription_ends_at.filter(|end| *end <= self.clock.began);
        gate::Account { subscription_ends_at: ended, ..facts }
    }
}
