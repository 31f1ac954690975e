//! The lifecycle of a run, level-triggered: the phase follows from the current situation, never from the last event.
//!
//! `draft → scheduled → active → completed`, `active ⇄ paused`, any unfinished phase `→ cancelled`.

use super::detail::Detail;
use super::overrides::{Action, StandingOrder};
pub use super::phase::{Phase, Reason};
use crate::core::domain::Timestamp;
use crate::core::manifest::desired::{DesiredState, Enrollment};

/// A phase with its reason, for machines and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub phase: Phase,
    pub reason: Reason,
    pub detail: Detail,
}

impl Status {
    fn new(phase: Phase, reason: Reason, detail: Detail) -> Self {
        Self { phase, reason, detail }
    }

    /// Returns the status of a run that was just created and not yet reconciled.
    pub fn created() -> Self {
        Self::new(Phase::Draft, Reason::Manifest, Detail::JustCreated)
    }

    /// Returns the id of the operator's order that the run follows.
    pub fn followed(&self) -> Option<i64> {
        self.detail.order().filter(|_| self.reason == Reason::Operator)
    }
}

/// Everything that the phase of a run depends on.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, not one state in disguise")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    pub wanted: DesiredState,
    /// The manifest is gone.
    pub removed: bool,
    /// The operator's override that wins for this run.
    pub operator: Option<StandingOrder>,
    /// The campaign selects this account.
    pub selected: bool,
    /// The run was active before.
    pub started: bool,
    /// The detail about the campaign that the run waits for; it matters only before the run has started.
    pub behind: Option<Detail>,
    /// The detail about the active filtered run that this default run pauses for.
    pub preempted: Option<Detail>,
    /// The forecast against the end of the subscription; it matters only before the run has started.
    pub ahead: Ahead,
    /// The reason why the account cannot send.
    pub unable: Option<Unable>,
    /// The restriction of the account or its channel.
    pub halted: Option<RunRestriction>,
    /// Enrollment is on for the account.
    pub enrolls: bool,
    /// Sending is on for the account.
    pub sends: bool,
    pub start_at: Option<Timestamp>,
    pub end_at: Option<Timestamp>,
    pub enrollment: Enrollment,
    /// The campaign is a filtered one.
    pub filtered: bool,
    /// Nobody matches the campaign now; it matters only before the run has started.
    pub nobody_matches: bool,
    /// The run has enrolled somebody, ever.
    pub ever_enrolled: bool,
    /// The last pass left out people who match, because they are active in another run.
    pub busy_elsewhere: bool,
    /// The enrollment passes made so far.
    pub passes: u32,
    /// A pass is due, so the result of the last one no longer counts.
    pub pass_due: bool,
    /// The number of people that the last pass found.
    pub last_pass_found: u32,
    /// The run has enrolled `limits.targets` people.
    pub target_cap_reached: bool,
    /// At least one target is still in the sequence.
    pub has_active_targets: bool,
    /// The fault of a message that could not be rendered in the current revision.
    pub template_error: Option<Detail>,
}

/// The forecast of a run's end against the end of its account's subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ahead {
    /// The run would end in time, or needs no forecast.
    #[default]
    Free,
    /// The forecast is missing or too old.
    Unknown,
    /// The run would end too late; the detail says when.
    Outlives(Detail),
}

/// A restriction of an account or its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRestriction {
    pub reason: Reason,
    pub detail: Detail,
}

/// The reason why an account cannot send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unable {
    SubscriptionExpired,
    Disconnected,
}

impl Unable {
    fn status(self) -> Status {
        let (reason, detail) = match self {
            Self::SubscriptionExpired => (Reason::SubscriptionExpired, Detail::SubscriptionExpired),
            Self::Disconnected => (Reason::Disconnected, Detail::Disconnected),
        };
        Status::new(Phase::Paused, reason, detail)
    }
}

/// Returns the status that follows from `situation` at `now` for a run in `status`.
pub fn next(status: &Status, situation: &Situation, now: Timestamp) -> Status {
    use Phase::{Active, Cancelled, Completed, Paused, Scheduled};
    if status.phase.is_final() {
        return status.clone();
    }
    if situation.removed {
        return Status::new(Cancelled, Reason::Pruned, Detail::ManifestGone);
    }
    if situation.wanted == DesiredState::Cancelled {
        return Status::new(Cancelled, Reason::Manifest, Detail::CancelledInManifest);
    }
    let order = situation.operator.as_ref();
    match order.map(|order| (order.order.action, order)) {
        Some((Action::Cancel, order)) => return Status::new(Cancelled, Reason::Operator, order.detail()),
        Some((Action::Pause, order)) => return Status::new(Paused, Reason::Operator, order.detail()),
        Some((Action::Start | Action::Resume, _)) | None => {}
    }
    let start = order.filter(|order| order.order.action == Action::Start);
    // The override that keeps the run going against its manifest.
    let mut kept = None;
    if let Some(held) = held(situation) {
        let lifts = if held.phase == Paused { order } else { start };
        match lifts {
            Some(order) => kept = Some(order),
            None => return held,
        }
    }
    if let Some(end) = situation.end_at.filter(|end| *end <= now) {
        return Status::new(Completed, Reason::Ended, Detail::EndedAt { at: end });
    }
    // This does not end the run: labels come with imports, and a label missing today may be back tomorrow.
    if !situation.selected {
        return Status::new(Paused, Reason::Manifest, Detail::NotSelected);
    }
    if let Some(at) = situation.start_at.filter(|start| *start > now) {
        if start.is_none() && !situation.started {
            return Status::new(Scheduled, Reason::WaitingForStart, Detail::StartsAt { at });
        }
        kept = kept.or(start);
    }
    if let Some(behind) = situation.behind.as_ref().filter(|_| !situation.started) {
        match start {
            Some(start) => kept = kept.or(Some(start)),
            None => return Status::new(Scheduled, Reason::QueuedBehind, behind.clone()),
        }
    }
    if waits_for_people(situation) {
        let busy = situation.started && situation.busy_elsewhere;
        let detail = if busy { Detail::PeopleBusy } else { Detail::NobodyMatches };
        return Status::new(Scheduled, Reason::WaitingForPeople, detail);
    }
    if !situation.started && situation.unable.is_none() {
        let held = match &situation.ahead {
            Ahead::Free => None,
            Ahead::Unknown => Some(Status::new(Scheduled, Reason::LookingAhead, Detail::LookingAhead)),
            Ahead::Outlives(detail) => Some(Status::new(Scheduled, Reason::OutlivesSubscription, detail.clone())),
        };
        match (held, start) {
            (Some(_), Some(start)) => kept = kept.or(Some(start)),
            (Some(held), None) => return held,
            (None, _) => {}
        }
    }
    if enrollment_closed(situation) && !situation.has_active_targets {
        return Status::new(Completed, Reason::Drained, Detail::Drained);
    }
    if let Some(unable) = situation.unable {
        return unable.status();
    }
    // No earlier override lifts a restriction. The order to resume removes it.
    if let Some(RunRestriction { reason, detail }) = &situation.halted {
        return Status::new(Paused, *reason, detail.clone());
    }
    if let Some(preempted) = &situation.preempted {
        match order {
            Some(order) => kept = kept.or(Some(order)),
            None => return Status::new(Paused, Reason::FilteredCampaignActive, preempted.clone()),
        }
    }
    match (&situation.template_error, kept) {
        (Some(error), _) => Status::new(Paused, Reason::TemplateError, error.clone()),
        (None, Some(order)) => Status::new(Active, Reason::Operator, order.detail()),
        (None, None) => running(situation),
    }
}

/// Returns the status of a run whose stored campaign cannot be used.
///
/// An active run pauses. Any other run stays as it is, because nobody knows what its campaign wants.
pub fn frozen(status: &Status, why: &Detail) -> Status {
    match (status.phase, status.reason) {
        (Phase::Active, _) | (Phase::Paused, Reason::Frozen) => Status::new(Phase::Paused, Reason::Frozen, why.clone()),
        (Phase::Draft | Phase::Scheduled | Phase::Paused | Phase::Completed | Phase::Cancelled, _) => status.clone(),
    }
}

/// Returns the status of a run that nothing stops. Its reason names a switch that is off for the account.
fn running(situation: &Situation) -> Status {
    let (reason, detail) = match (situation.enrolls, situation.sends) {
        (true, true) => (Reason::Running, Detail::Running),
        (false, true) => (Reason::EnrollmentOff, Detail::EnrollmentOff),
        (true, false) => (Reason::SendingOff, Detail::SendingOff),
        (false, false) => (Reason::SendingOff, Detail::EnrollmentAndSendingOff),
    };
    Status::new(Phase::Active, reason, detail)
}

/// Returns the status of a run whose manifest stops it.
fn held(situation: &Situation) -> Option<Status> {
    let (phase, detail) = match situation.wanted {
        DesiredState::Paused => (Phase::Paused, Detail::PausedInManifest),
        // A run that has started cannot become a draft again, but it must not send either.
        DesiredState::Draft if situation.started => (Phase::Paused, Detail::BackToDraft),
        DesiredState::Draft => (Phase::Draft, Detail::Draft),
        DesiredState::Active | DesiredState::Cancelled => return None,
    };
    Some(Status::new(phase, Reason::Manifest, detail))
}

/// Returns true if a run in this phase may enroll and send under a manifest that wants `wanted`.
///
/// A plan that stops many runs moves them batch by batch, and a run must not act before its batch. An operator's
/// override keeps a run going against its manifest.
pub fn may_act(phase: Phase, reason: Reason, wanted: DesiredState) -> bool {
    let goes_on = match wanted {
        DesiredState::Active => true,
        DesiredState::Draft | DesiredState::Paused => reason == Reason::Operator,
        DesiredState::Cancelled => false,
    };
    goes_on && phase == Phase::Active
}

/// Returns the phase for sending: a run that may not act counts as paused.
pub fn acting(phase: Phase, reason: Reason, wanted: DesiredState) -> Phase {
    match phase {
        Phase::Active if !may_act(phase, reason, wanted) => Phase::Paused,
        phase => phase,
    }
}

/// Returns the status of a completed run whose enrollment an operator opens again; `None` for any other run.
///
/// The caller then moves the run to the phase that follows, as a run that has not begun.
pub fn reopened(phase: Phase, by: Detail) -> Option<Status> {
    (phase == Phase::Completed).then(|| Status::new(Phase::Scheduled, Reason::Operator, by))
}

/// Returns true if this filtered run needs a person to begin, or to begin again.
///
/// A run that began and found nobody goes back to waiting. A run whose last people are busy in other runs does too, so
/// that it is in nobody's way until they are free.
pub fn waits_for_people(situation: &Situation) -> bool {
    let found_nobody = situation.passes >= 1 && situation.last_pass_found == 0 && !situation.pass_due;
    // Enrollment `once` is closed by its first full pass, whoever is busy then.
    let busy = situation.busy_elsewhere && situation.enrollment == Enrollment::UntilDrained;
    let lacks =
        if situation.started { found_nobody && (!situation.ever_enrolled || busy) } else { situation.nobody_matches };
    let may_enroll = situation.filtered && !situation.target_cap_reached;
    may_enroll && !situation.has_active_targets && lacks
}

/// Returns true if this run will never enroll another person.
pub fn enrollment_closed(situation: &Situation) -> bool {
    match situation.enrollment {
        Enrollment::Once => situation.passes >= 1 || situation.target_cap_reached,
        Enrollment::UntilDrained => {
            let found_nobody = situation.last_pass_found == 0 && !situation.busy_elsewhere && !situation.pass_due;
            situation.passes >= 1 && (found_nobody || situation.target_cap_reached)
        }
        Enrollment::Continuous => false,
    }
}

#[cfg(test)]
mod tests;
