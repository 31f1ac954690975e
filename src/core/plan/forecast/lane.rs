//! The simulation of one account, from one possible change to the next.

use chrono::TimeDelta;

use super::agenda::Agenda;
use super::crowd::{Crowd, Group, Place, Turn};
use super::next_message::{NextMessage, Wait, Watch};
use super::outlook::{Limit, Outlook};
use super::run::{Account, Run};
use super::state::{Among, Candidates, Clock, Facts, State};
use crate::core::dispatch::gate;
use crate::core::dispatch::gate::{Hold, Question, Quota, Scope, Verdict};
use crate::core::dispatch::pacing::{Pace, stretch};
use crate::core::domain::{NaiveDate, Opening, Timestamp};
use crate::core::lifecycle::enrollment::room;
use crate::core::lifecycle::ordering::Peers;
use crate::core::lifecycle::run::acting;

/// The span of messages to late people that counts as one instant.
///
/// Late people are next due a sequence's wait after their message, each at their own instant.
const GRAIN: TimeDelta = TimeDelta::minutes(30);
/// The shortest time that Postgres stores.
const TICK: TimeDelta = TimeDelta::microseconds(1);

/// The gate's answer for a group.
enum Answer {
    Send(Box<Question>),
    /// The group left, or waits for another day.
    Done,
    Held(Scope),
}

pub(super) struct Lane<'a> {
    account: &'a Account<'a>,
    runs: Vec<State<'a>>,
    /// The view that the runs have of each other.
    peers: Peers,
    agenda: Agenda,
    crowd: Crowd,
    clock: Clock,
    pace: Pace,
    /// The local day, and the account's messages on it.
    taken: (NaiveDate, u32),
    /// The account sends nothing after the end of its subscription.
    ends: bool,
    /// The messages so far.
    sent: u64,
    /// The person who is watched, and what is known of their next message.
    watched: Option<(Watch, NextMessage)>,
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
            ends: false,
            sent: 0,
            watched: None,
        }
    }

    /// Stops at the end of the subscription, which [`Lane::new`] takes for renewed.
    pub(super) fn until_subscription_ends(self) -> Self {
        Self { ends: true, ..self }
    }

    /// Simulates until the watched person gets their next message, at most until `horizon`.
    pub(super) fn watch(mut self, watch: Watch, horizon: Timestamp) -> NextMessage {
        self.watched = Some((watch, NextMessage::default()));
        self.go(horizon);
        self.watched.map(|(_, next)| next).unwrap_or_default()
    }

    /// Simulates until nothing happens any more or the watched message is out. Returns `true` if `horizon` came first.
    fn go(&mut self, horizon: Timestamp) -> bool {
        while self.watched.as_ref().is_none_or(|(_, next)| next.at.is_none()) {
            if self.advance() | self.enroll() {
                continue;
            }
            self.write();
            if self.advance() {
                continue;
            }
            let Some(next) = self.next_event() else { break };
            if next > horizon {
                return true;
            }
            self.clock.set(self.account.zone, next.max(self.clock.now + TICK));
        }
        false
    }

    /// Simulates until nothing happens any more, at most until `horizon`.
    pub(super) fn run(mut self, horizon: Timestamp) -> Vec<Outlook> {
        let too_far = self.go(horizon);
        let (facts, policy) = (self.account.facts, self.account.policy);
        let expired = facts.subscription_ends_at.is_some_and(|end| end <= self.clock.began);
        let runs = self.runs.into_iter().enumerate();
        runs.map(|(run, state)| {
            state.outlook(Facts {
                too_far,
                sending_off: !policy.sending.is_on(),
                enrollment_off: !policy.enrollment.is_on(),
                disconnected: !facts.connected,
                expired,
                anybody_due: self.crowd.first(run).is_some(),
                anybody_stuck: self.crowd.is_stuck(run),
            })
        })
        .collect()
    }

    /// Moves the runs to the phases that follow from their situation; returns `true` if one changed.
    fn advance(&mut self) -> bool {
        self.agenda.ring(self.clock.now);
        let (mut changed, mut from) = (false, 0);
        // Each run sees the new phase of those before it; an earlier run that a change concerns is advanced again.
        while let Some((turn, run)) = self.agenda.next_stale(from) {
            changed |= self.look(run);
            from = turn + 1;
        }
        changed || !self.agenda.is_settled()
    }

    /// Advances one run; returns `true` if it changed.
    fn look(&mut self, run: usize) -> bool {
        let now = self.clock.now;
        let facts = self.facts();
        let unable = facts.unable(now);
        if self.runs[run].is_over() {
            return false;
        }
        let asks = self.runs[run].needs_people(self.crowd.active(run) > 0);
        let candidates = if asks { self.candidates(run) } else { Candidates::default() };
        let state = &mut self.runs[run];
        let before = state.peer(now);
        let among = Among { order: self.account.order, peers: &self.peers, policy: self.account.policy, unable };
        let began = state.run.started;
        let moved = state.advance((self.crowd.active(run) > 0, candidates), among, &self.clock);
        let after = state.peer(now);
        if let Some((watch, next)) = self.watched.as_mut().filter(|(watch, next)| watch.run == run && next.at.is_none())
        {
            // What is over before the message is due does not delay it.
            if !state.is_active() {
                next.waits = Some(Wait::Run(state.status.clone()));
            } else if now < watch.due_at {
                next.waits = None;
            }
        }
        self.agenda.note(run, state.run.spec.priority, state.is_active(), state.alarm(facts.subscription_ends_at, now));
        // A run that goes back to waiting is looked at again, as one that has not begun.
        if began && !state.run.started {
            self.agenda.touch(run);
        }
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

    /// Returns the people who wait for a run that has not begun.
    fn candidates(&self, run: usize) -> Candidates {
        let (now, excludes) = (self.clock.now, self.runs[run].run.spec.filter.exclude_current_targets);
        let mut found = Candidates::default();
        for id in self.crowd.waiting(run) {
            match self.crowd.place(run, id) {
                Place::Waiting { from } if from > now => {
                    found.ripe_at = Some(found.ripe_at.map_or(from, |at| at.min(from)));
                }
                Place::Waiting { .. } if excludes && self.crowd.is_elsewhere(run, id) => found.busy = true,
                _ => {
                    found.somebody = true;
                    break;
                }
            }
        }
        found
    }

    /// Makes the passes that are due; returns `true` if there was one.
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
        let (mut found, mut left) = (0, Candidates::default());
        let first_zone = self.runs[run].zone_for(None).clone();
        for id in self.crowd.waiting(run).collect::<Vec<_>>() {
            let Place::Waiting { from } = self.crowd.place(run, id) else { continue };
            if from > now {
                left.ripe_at = Some(left.ripe_at.map_or(from, |at| at.min(from)));
                continue;
            }
            let people = self.crowd.group(id).people().min(room);
            let excluded = spec.filter.exclude_current_targets && self.crowd.is_elsewhere(run, id);
            if excluded || people == 0 {
                left.busy |= excluded;
                left.somebody |= !excluded;
                continue;
            }
            left.somebody |= people < self.crowd.group(id).people();
            room -= people;
            found += people;
            let part = self.crowd.part(id, people);
            let due_at = self.runs[run].run.cadence.first_of(now, self.crowd.group(part).registered_at, &first_zone);
            self.place_at(run, part, Place::Active { day: 1, due_at });
        }
        self.runs[run].pass(enrolls, found, left, &self.clock);
    }

    /// Moves a group, and marks the run, because its phase depends on whether anybody is left in it.
    fn place_at(&mut self, run: usize, id: usize, place: Place) {
        self.crowd.place_at(run, id, place);
        if self.crowd.active(run) == 0 {
            self.agenda.touch(run);
        }
    }

    /// Sends to everybody who may get a message now; at a pace, until something else happens.
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

    /// Asks the gate about a due group. People who leave or wait for another day do so at once.
    fn answer(&mut self, run: usize, (_, _, id): Turn) -> Answer {
        let Place::Active { day, .. } = self.crowd.place(run, id) else { return Answer::Done };
        if day > self.runs[run].run.cadence.days() {
            self.place_at(run, id, Place::Over);
            return Answer::Done;
        }
        let mut question = self.question(run);
        let zone = self.crowd.group(id).zone.clone();
        question.opening = self.runs[run].opening_for(zone.as_deref(), self.clock.now);
        let group = self.crowd.group(id);
        question.person = Some(gate::Person {
            paid: group.paid,
            consent: group.consent,
            suppressed: group.suppressed,
            // The forecast assumes that a review lets these people continue.
            near_opt_out: false,
            last_written_on: group.last_written_on,
            today: self.clock.today,
        });
        match gate::decide(&question) {
            Verdict::Send => return Answer::Send(Box::new(question)),
            Verdict::Exit(_) => self.place_at(run, id, Place::Over),
            Verdict::Hold { reason, until } => match (question.scope(reason), until) {
                (Scope::Person, Some(due_at)) => {
                    match reason {
                        Hold::OutsideWindow => self.runs[run].shut(Some(due_at), &self.clock),
                        _ => self.runs[run].limited(Limit::OtherRun, self.clock.today),
                    }
                    self.crowd.order_by_id(id);
                    self.place_at(run, id, Place::Active { day, due_at });
                }
                (Scope::Person, None) => self.place_at(run, id, Place::Stuck),
                (scope, _) => return Answer::Held(scope),
            },
        }
        Answer::Done
    }

    /// Looks at a few more people at each slot: those who leave or wait for another day do so now, and need no slot.
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

    /// Returns the first group of an active run, if it is due.
    fn due(&self, run: usize) -> Option<Turn> {
        let due = self.crowd.first(run).filter(|_| self.runs[run].is_active());
        due.filter(|(due_at, ..)| *due_at <= self.clock.now)
    }

    /// Sends to as many members of the group as quota and, at a pace, the time until the next event allow.
    fn send(&mut self, run: usize, turn: Turn, question: &Question) {
        let (due_at, _, id) = turn;
        let Place::Active { day, .. } = self.crowd.place(run, id) else { return };
        let Clock { now, today, .. } = self.clock;
        let cadence = self.runs[run].run.cadence;
        let own_zone = self.crowd.group(id).zone.clone();
        let zone = self.runs[run].zone_for(own_zone.as_deref()).clone();
        // After this instant they are late, and the next day counts from the message.
        let late_at = cadence.next(day, due_at, due_at, &zone).map(|(_, planned)| planned);
        let alike = late_at.map(|late_at| if late_at > now { late_at } else { now + GRAIN });
        let closes_at = if let Opening::Open(closes_at) = question.opening { Some(closes_at) } else { None };
        let until = alike.into_iter().chain(closes_at).fold(self.undisturbed(run), Timestamp::min);
        let most = self.crowd.before_next(run, turn);
        let most = most.min(question.account_quota.left()).min(question.campaign_quota.left());
        let stretch = stretch(&self.account.policy.pacing, self.pace, (now, until), (most, self.sent));
        self.sent += u64::from(stretch.messages);
        let part = self.crowd.part(id, stretch.messages);
        self.crowd.write(part, today);
        if let Some((watch, next)) = &mut self.watched {
            match next.at {
                None if watch.run == run && self.crowd.group(part).referrals == [watch.referral] => next.at = Some(now),
                None if now >= watch.due_at => next.ahead += u64::from(stretch.messages),
                _ => {}
            }
        }
        let next = cadence.next(day, due_at, now, &zone);
        let place = next.map_or(Place::Over, |(day, due_at)| Place::Active { day, due_at });
        // People who are late are due at one instant again, and then go by their ids.
        if late_at.is_some_and(|late_at| late_at <= now) {
            self.crowd.order_by_id(part);
        }
        self.place_at(run, part, place);
        self.runs[run].wrote(stretch.messages, now, today);
        let taken = if self.taken.0 == today { self.taken.1 } else { 0 };
        self.taken = (today, taken + stretch.messages);
        self.pace = stretch.pace;
        self.clock.now = stretch.last_at;
    }

    /// Returns the first due group among the runs that may send; records the limits that the others wait for.
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
        let now = self.clock.now;
        if let Some((_, next)) = self.watched.as_mut().filter(|(watch, _)| watch.run == run && watch.due_at <= now) {
            // A run that was not active explains more than what follows when it is active again.
            if !matches!(next.waits, Some(Wait::Run(_))) {
                next.waits = Some(Wait::Gate(hold));
            }
        }
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

    /// Returns until when the first group of `run` stays first and may get messages.
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

    /// Returns the next instant at which something may happen.
    fn next_event(&mut self) -> Option<Timestamp> {
        let mut next = self.agenda.next_alarm(self.clock.now);
        for run in self.agenda.active().collect::<Vec<_>>() {
            let moves = [self.runs[run].pass_at, self.writes_at(run)];
            next = moves.into_iter().flatten().chain(next).min();
        }
        next
    }

    /// Returns when a group of `other` may next come before the first group of `run`.
    fn disturbs_at(&mut self, run: usize, other: usize) -> Option<Timestamp> {
        let now = self.clock.now;
        if self.priority(other) > self.priority(run) {
            return None;
        }
        match self.may_write_at(other)? {
            // Groups of `other` that are due now come later; otherwise one of them would be first.
            at if at <= now => self.crowd.next_due(other, now).filter(|_| self.priority(other) < self.priority(run)),
            at => self.crowd.first(other).map(|(due_at, ..)| due_at.max(at)),
        }
    }

    /// Returns when the run next sends a message.
    fn writes_at(&mut self, run: usize) -> Option<Timestamp> {
        let at = self.may_write_at(run)?;
        self.crowd.first(run).map(|(due_at, ..)| due_at.max(at))
    }

    /// Returns from when on the run may send to anybody; `None` when no foreseen event allows it.
    fn may_write_at(&mut self, run: usize) -> Option<Timestamp> {
        match gate::decide(&self.question(run)) {
            _ if !self.runs[run].is_active() => None,
            Verdict::Send | Verdict::Exit(_) => Some(self.clock.now),
            Verdict::Hold { until, .. } => until,
        }
    }

    /// Returns the question for a run as a whole.
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
            own_windows: state.has_own_windows(),
            account_quota: Quota { cap: self.account.policy.messages_per_day, taken },
            campaign_quota: Quota { cap: spec.limits.messages_per_day, taken: state.written(clock) },
            day_ends_at: clock.day_ends_at,
            next_slot_at: self.pace.next_slot_at,
        }
    }

    /// Returns the account's facts. A later end of its subscription counts only in a forecast up to that end.
    fn facts(&self) -> gate::Account {
        let facts = self.account.facts;
        let ended = facts.subscription_ends_at.filter(|end| self.ends || *end <= self.clock.began);
        gate::Account { subscription_ends_at: ended, ..facts }
    }
}
