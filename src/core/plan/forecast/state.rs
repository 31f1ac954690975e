//! The state of one run during a forecast.

use std::collections::BTreeMap;

use super::outlook::{Endless, Finish, Limit, Outlook};
use super::run::Run;
use crate::core::domain::{NaiveDate, Opening, Timestamp, Zone};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::enrollment::{Again, BACKSTOP, Changes, Pass, Taken, after_pass, next_match, next_pass};
use crate::core::lifecycle::ordering::{Order, Peer, Peers};
use crate::core::lifecycle::run::{Ahead, Phase, Reason, Situation, Status, Unable, next};
use crate::core::manifest::desired::policy::AccountPolicy;
use crate::core::manifest::desired::{CampaignType, Enrollment, ZoneOf};

/// A run at the current instant of the forecast.
#[derive(Debug)]
pub(super) struct State<'a> {
    pub(super) run: Run<'a>,
    pub(super) status: Status,
    /// The zone of the run's windows.
    zone: &'a Zone,
    start_at: Option<Timestamp>,
    pub(super) end_at: Option<Timestamp>,
    opening: (Opening, Timestamp),
    taken: Taken,
    /// The local day of `taken.today`.
    taken_on: NaiveDate,
    last_pass_found: u32,
    busy: bool,
    pub(super) pass_at: Option<Timestamp>,
    /// When a run that waits for people looks for them next.
    look_at: Option<Timestamp>,
    enrolled_now: u64,
    enrolled: BTreeMap<NaiveDate, u64>,
    first_at: Option<Timestamp>,
    finish_at: Option<Timestamp>,
    pub(super) messages: BTreeMap<NaiveDate, u32>,
    limits: BTreeMap<NaiveDate, Limit>,
    /// The local day on which a person last waited for the pace.
    paced_on: Option<NaiveDate>,
}

/// The people whom a run may still enroll.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Candidates {
    /// Somebody matches now.
    pub(super) somebody: bool,
    /// Somebody matches, but is active in another run.
    pub(super) busy: bool,
    /// When the first of those who registered too recently can be enrolled.
    pub(super) ripe_at: Option<Timestamp>,
}

impl Candidates {
    /// Returns true if a later look may find anybody. Nobody registers in a forecast.
    const fn are_left(self) -> bool {
        self.somebody || self.busy || self.ripe_at.is_some()
    }
}

/// The state outside a run that its phase depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Among<'a> {
    pub(super) order: &'a Order,
    pub(super) peers: &'a Peers,
    pub(super) policy: &'a AccountPolicy,
    pub(super) unable: Option<Unable>,
}

impl<'a> State<'a> {
    pub(super) fn new(run: Run<'a>, account: &'a Zone, now: Timestamp) -> Self {
        let schedule = &run.spec.schedule;
        let zone = schedule.timezone.as_ref().unwrap_or(account);
        let reason = if run.faulty { Reason::TemplateError } else { Reason::Manifest };
        Self {
            status: Status { phase: run.phase, reason, detail: Detail::None },
            zone,
            start_at: schedule.start_at.map(|moment| moment.at(zone)),
            end_at: schedule.end_at.map(|moment| moment.at(zone)),
            opening: (Opening::Never, now),
            taken: run.taken,
            taken_on: account.date(now),
            last_pass_found: run.last_pass_found,
            busy: run.busy,
            pass_at: run.enroll_at,
            look_at: run.look_at,
            enrolled_now: 0,
            enrolled: BTreeMap::new(),
            first_at: None,
            finish_at: None,
            messages: BTreeMap::new(),
            limits: BTreeMap::new(),
            paced_on: None,
            run,
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.status.phase == Phase::Active
    }

    pub(super) fn is_over(&self) -> bool {
        self.status.phase.is_final()
    }

    /// Moves the run to the phase that follows from its situation; returns `true` if the phase changed.
    pub(super) fn advance(
        &mut self,
        (anybody_active, candidates): (bool, Candidates),
        among: Among<'_>,
        clock: &Clock,
    ) -> bool {
        let now = clock.now;
        let Run { spec, orders, started, selected, faulty, .. } = self.run;
        let situation = Situation {
            wanted: spec.state,
            removed: false,
            operator: orders.at(now).cloned(),
            selected,
            started,
            behind: among.order.behind(self.run.id, among.peers),
            preempted: among.order.preempted(self.run.id, among.peers, among.policy),
            ahead: if self.run.refused { Ahead::Outlives(Detail::None) } else { Ahead::Free },
            unable: among.unable,
            // The forecast assumes that restrictions of the account are over by then; otherwise plans do not matter.
            halted: None,
            enrolls: among.policy.enrollment.is_on(),
            sends: among.policy.sending.is_on(),
            start_at: self.start_at,
            end_at: self.end_at,
            enrollment: spec.enrollment,
            filtered: spec.kind == CampaignType::Filtered,
            nobody_matches: !candidates.somebody,
            ever_enrolled: self.taken.ever > 0,
            busy_elsewhere: if started { self.busy } else { candidates.busy },
            passes: self.taken.passes,
            pass_due: self.pass_at.is_some_and(|at| at <= now),
            last_pass_found: self.last_pass_found,
            target_cap_reached: spec.limits.targets.is_some_and(|cap| self.taken.ever >= u64::from(cap)),
            has_active_targets: anybody_active,
            template_error: faulty.then_some(Detail::None),
        };
        let before = self.status.phase;
        self.status = next(&self.status, &situation, now);
        let phase = self.status.phase;
        if phase == Phase::Active && before != phase {
            self.run.started = true;
            self.pass_at = Some(now);
        }
        if phase.is_final() && before != phase {
            self.finish_at = Some(now);
            self.pass_at = None;
        }
        self.wait_for_people(candidates, clock);
        phase != before
    }

    /// Makes a run that waits for people one that has not begun, and plans its next look for them.
    fn wait_for_people(&mut self, candidates: Candidates, clock: &Clock) {
        if self.status.reason != Reason::WaitingForPeople {
            self.look_at = None;
            return;
        }
        if self.run.started {
            (self.run.started, self.taken.passes, self.last_pass_found, self.busy) = (false, 0, 0, false);
        }
        self.pass_at = None;
        if self.look_at.is_none_or(|at| at <= clock.now) {
            let changes = clock.changes(candidates.ripe_at);
            self.look_at = candidates.are_left().then(|| next_match(self.run.spec, changes));
        }
    }

    /// Returns true if the run may wait for people: it has yet to begin, or nobody is left in it.
    pub(super) fn needs_people(&self, anybody_active: bool) -> bool {
        self.run.spec.kind == CampaignType::Filtered && (!self.run.started || !anybody_active)
    }

    /// Returns when the run may change by itself, after `now`.
    pub(super) fn alarm(&self, subscription_ends_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let moves = [self.start_at, self.end_at, self.look_at, subscription_ends_at, self.run.orders.change_at(now)];
        moves.into_iter().flatten().filter(|at| *at > now && !self.is_over()).min()
    }

    /// Returns the view that other runs have of this one.
    pub(super) fn peer(&self, now: Timestamp) -> Peer {
        Peer::of(&self.status, self.run.orders, now)
    }

    /// Returns the people that the run has enrolled, as of the local day `today`.
    pub(super) fn taken(&self, today: NaiveDate) -> Taken {
        Taken { today: if self.taken_on == today { self.taken.today } else { 0 }, ..self.taken }
    }

    /// Records a pass that enrolled `found` people, none where the account does not enroll.
    ///
    /// `left` are the people whom it left out.
    pub(super) fn pass(&mut self, enrolls: bool, found: u32, left: Candidates, clock: &Clock) {
        let taken = self.taken(clock.today);
        let Pass { cut_short, found: counted, again } = after_pass(self.run.spec, enrolls, taken, u64::from(found));
        self.taken = Taken {
            passes: taken.passes + u32::from(!cut_short),
            ever: taken.ever + u64::from(found),
            today: taken.today + found,
        };
        self.taken_on = clock.today;
        self.last_pass_found = u32::try_from(counted).unwrap_or(u32::MAX);
        self.busy = left.busy;
        let next = next_pass(self.run.spec, again, clock.changes(left.ripe_at));
        // Nobody registers in a forecast, so a later pass over nobody changes nothing.
        self.pass_at = next.filter(|_| again != Again::Later || left.are_left());
        if found > 0 {
            *self.enrolled.entry(clock.today).or_default() += u64::from(found);
            self.enrolled_now += if clock.now == clock.began { u64::from(found) } else { 0 };
        }
        if cut_short && left.somebody && enrolls {
            self.limited(Limit::Enrollment, clock.today);
        }
    }

    /// Records messages that were sent from `first_at` on.
    pub(super) fn wrote(&mut self, messages: u32, first_at: Timestamp, today: NaiveDate) {
        *self.messages.entry(today).or_default() += messages;
        self.first_at.get_or_insert(first_at);
    }

    /// Returns the messages of the local day, including those sent before the forecast began.
    pub(super) fn written(&self, clock: &Clock) -> u32 {
        let before = if clock.today == clock.began_on { self.run.sent } else { 0 };
        before + self.messages.get(&clock.today).copied().unwrap_or_default()
    }

    /// Returns true if the windows are in the local time of each person.
    pub(super) fn has_own_windows(&self) -> bool {
        self.run.spec.schedule.zone == ZoneOf::Recipient
    }

    /// Returns the zone of the windows and days of people with this zone of their own.
    pub(super) fn zone_for<'b>(&'b self, own: Option<&'b Zone>) -> &'b Zone {
        own.filter(|_| self.has_own_windows()).unwrap_or(self.zone)
    }

    /// Returns the state of the windows for people with this zone of their own.
    pub(super) fn opening_for(&mut self, own: Option<&Zone>, now: Timestamp) -> Opening {
        match own.filter(|_| self.has_own_windows()) {
            Some(zone) => self.run.spec.schedule.windows.opening(zone, now),
            None if self.has_own_windows() => self.run.spec.schedule.windows.opening(self.zone, now),
            None => self.opening(now),
        }
    }

    /// Returns whether the run's window is open, or when it opens.
    pub(super) fn opening(&mut self, now: Timestamp) -> Opening {
        if self.has_own_windows() && !self.run.spec.schedule.windows.windows.is_empty() {
            return Opening::ALWAYS;
        }
        let (_, until) = self.opening;
        if until <= now {
            let windows = &self.run.spec.schedule.windows;
            let opening = if windows.windows.is_empty() { Opening::Never } else { windows.opening(self.zone, now) };
            let until = match opening {
                Opening::Open(until) | Opening::Opens(until) => until,
                Opening::Never => Timestamp::MAX_UTC,
            };
            self.opening = (opening, until);
        }
        self.opening.0
    }

    /// Records that a due person waits for the pace.
    pub(super) fn paced(&mut self, today: NaiveDate) {
        self.paced_on = Some(today);
    }

    /// Records that a person is due while the window is closed until `until`.
    pub(super) fn shut(&mut self, until: Option<Timestamp>, clock: &Clock) {
        if self.paced_on == Some(clock.today) {
            self.limited(Limit::Pace, clock.today);
        } else if until.is_none_or(|until| until - clock.now > BACKSTOP) {
            self.limited(Limit::Window, clock.today);
        }
    }

    /// Records the limit that a person waits for on a day; if there are several, the first one in [`Limit`] counts.
    pub(super) fn limited(&mut self, limit: Limit, today: NaiveDate) {
        let noted = self.limits.entry(today).or_insert(limit);
        *noted = (*noted).min(limit);
    }

    /// Returns the outlook of the run, once nothing further happens or the forecast is `too_far`.
    pub(super) fn outlook(self, facts: Facts) -> Outlook {
        let finish = match self.finish_at {
            Some(at) => Finish::At(at),
            None => Finish::Never(self.endless(facts)),
        };
        let mut days: BTreeMap<Limit, usize> = BTreeMap::new();
        for limit in self.limits.values() {
            *days.entry(*limit).or_default() += 1;
        }
        // If two limits apply on equally many days, the first one counts.
        let limit = days.into_iter().rev().max_by_key(|(_, days)| *days).map_or(Limit::Cadence, |(limit, _)| limit);
        Outlook {
            enrolled_now: self.enrolled_now,
            enrolled: self.enrolled,
            first_at: self.first_at,
            finish,
            messages: self.messages,
            limit,
        }
    }

    fn endless(&self, facts: Facts) -> Endless {
        match (self.status.phase, self.status.reason) {
            (Phase::Draft, _) => Endless::Draft,
            (Phase::Paused, Reason::TemplateError) => Endless::TemplateError,
            (Phase::Paused, Reason::Disconnected) => Endless::Disconnected,
            (Phase::Paused, Reason::SubscriptionExpired) if facts.expired => Endless::SubscriptionExpired,
            (Phase::Paused, Reason::SubscriptionExpired) => Endless::SubscriptionEnds,
            (Phase::Paused, Reason::FilteredCampaignActive) => Endless::Preempted,
            (Phase::Scheduled, Reason::WaitingForPeople) => Endless::WaitingForPeople,
            (Phase::Scheduled, Reason::QueuedBehind) => Endless::Behind,
            (Phase::Scheduled, Reason::OutlivesSubscription) => Endless::OutlivesSubscription,
            (Phase::Paused, _) if !self.run.selected => Endless::NotSelected,
            (Phase::Paused, _) => Endless::Paused,
            _ if facts.too_far => Endless::TooFar,
            _ if facts.sending_off => Endless::SendingOff,
            _ if facts.disconnected => Endless::Disconnected,
            _ if facts.expired => Endless::SubscriptionExpired,
            _ if facts.anybody_due && self.opening.0 == Opening::Never => Endless::NoWindow,
            _ if facts.anybody_stuck => Endless::ConsentMissing,
            _ if self.run.spec.enrollment == Enrollment::Continuous => Endless::Continuous,
            _ if facts.enrollment_off => Endless::EnrollmentOff,
            _ => Endless::TooFar,
        }
    }
}

/// The current instant of the forecast, with the account's local day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) began: Timestamp,
    pub(super) began_on: NaiveDate,
    pub(super) now: Timestamp,
    pub(super) today: NaiveDate,
    pub(super) day_ends_at: Timestamp,
}

impl Clock {
    pub(super) fn start(zone: &Zone, now: Timestamp) -> Self {
        let today = zone.date(now);
        Self { began: now, began_on: today, now, today, day_ends_at: zone.next_day(now) }
    }

    fn changes(&self, ripe_at: Option<Timestamp>) -> Changes {
        Changes { now: self.now, midnight: self.day_ends_at, ripe_at }
    }

    pub(super) fn set(&mut self, zone: &Zone, now: Timestamp) {
        self.now = now;
        if now >= self.day_ends_at {
            (self.today, self.day_ends_at) = (zone.date(now), zone.next_day(now));
        }
    }
}

/// The facts that may keep a run from ending.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) too_far: bool,
    pub(super) sending_off: bool,
    pub(super) enrollment_off: bool,
    pub(super) disconnected: bool,
    pub(super) expired: bool,
    pub(super) anybody_due: bool,
    pub(super) anybody_stuck: bool,
}
