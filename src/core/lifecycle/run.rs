//! The lifecycle of a run, level-triggered: the phase follows from the current situation, never from the last event.
//!
//! `draft → scheduled → active → completed`, `active ⇄ paused`, any unfinished phase `→ cancelled`.

use super::overrides::{Action, Override};
pub use super::phase::{Phase, Reason};
use crate::core::domain::Timestamp;
use crate::core::manifest::desired::{DesiredState, Enrollment};

/// A phase with its reason, for machines and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub phase: Phase,
    pub reason: Reason,
    /// A sentence without a full stop.
    pub message: String,
}

impl Status {
    fn new(phase: Phase, reason: Reason, message: impl Into<String>) -> Self {
        Self { phase, reason, message: message.into() }
    }

    /// Returns the status of a run that was just created and not yet reconciled.
    pub fn created() -> Self {
        Self::new(Phase::Draft, Reason::Manifest, "just created")
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
    pub operator: Option<Override>,
    /// The campaign selects this account.
    pub selected: bool,
    /// The run was active before.
    pub started: bool,
    /// The campaign that the run waits for, as the end of a sentence; it matters only before the run has started.
    pub behind: Option<String>,
    /// The active filtered run that this default run pauses for, as the end of a sentence.
    pub preempted: Option<String>,
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
    pub template_error: Option<String>,
}

/// The forecast of a run's end against the end of its account's subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ahead {
    /// The run would end in time, or needs no forecast.
    #[default]
    Free,
    /// The forecast is missing or too old.
    Unknown,
    /// The run would end too late; the text says when, as a sentence.
    Outlives(String),
}

/// A restriction of an account, with its reason as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRestriction {
    pub reason: Reason,
    pub message: String,
}

/// The reason why an account cannot send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unable {
    SubscriptionExpired,
    Disconnected,
}

impl Unable {
    fn status(self) -> Status {
        let (reason, message) = match self {
            Self::SubscriptionExpired => (Reason::SubscriptionExpired, "the subscription of its account is over"),
            Self::Disconnected => (Reason::Disconnected, "its account is not connected"),
        };
        Status::new(Phase::Paused, reason, message)
    }
}

/// Returns the status that follows from `situation` at `now` for a run in `status`.
pub fn next(status: &Status, situation: &Situation, now: Timestamp) -> Status {
    use Phase::{Active, Cancelled, Completed, Paused, Scheduled};
    if status.phase.is_final() {
        return status.clone();
    }
    if situation.removed {
        return Status::new(Cancelled, Reason::Pruned, "its manifest is gone");
    }
    if situation.wanted == DesiredState::Cancelled {
        return Status::new(Cancelled, Reason::Manifest, "cancelled in its manifest");
    }
    let order = situation.operator.as_ref();
    match order.map(|order| (order.action, order.sentence())) {
        Some((Action::Cancel, sentence)) => return Status::new(Cancelled, Reason::Operator, sentence),
        Some((Action::Pause, sentence)) => return Status::new(Paused, Reason::Operator, sentence),
        Some((Action::Start | Action::Resume, _)) | None => {}
    }
    // The override that keeps the run going against its manifest.
    let mut kept = None;
    if let Some(held) = held(situation) {
        match order.filter(|order| order.action == Action::Start || held.phase == Paused) {
            Some(order) => kept = Some(order),
            None => return held,
        }
    }
    if let Some(end) = situation.end_at.filter(|end| *end <= now) {
        return Status::new(Completed, Reason::Ended, format!("ended at {}", end.format("%Y-%m-%d %H:%M UTC")));
    }
    // This does not end the run: labels come with imports, and a label missing today may be back tomorrow.
    if !situation.selected {
        return Status::new(Paused, Reason::Manifest, "its account is not one of those the campaign is for");
    }
    if let Some(start) = situation.start_at.filter(|start| *start > now) {
        let at_once = order.filter(|order| order.action == Action::Start);
        if at_once.is_none() && !situation.started {
            let at = start.format("%Y-%m-%d %H:%M UTC");
            return Status::new(Scheduled, Reason::WaitingForStart, format!("starts at {at}"));
        }
        kept = kept.or(at_once);
    }
    if let Some(whom) = situation.behind.as_ref().filter(|_| !situation.started) {
        match order.filter(|order| order.action == Action::Start) {
            Some(at_once) => kept = kept.or(Some(at_once)),
            None => return Status::new(Scheduled, Reason::QueuedBehind, format!("behind {whom}")),
        }
    }
    if !situation.started && situation.unable.is_none() {
        let held = match &situation.ahead {
            Ahead::Free => None,
            Ahead::Unknown => {
                let message = "looking whether it would be done before the subscription of its account ends";
                Some(Status::new(Scheduled, Reason::LookingAhead, message))
            }
            Ahead::Outlives(sentence) => Some(Status::new(Scheduled, Reason::OutlivesSubscription, sentence)),
        };
        match (held, order.filter(|order| order.action == Action::Start)) {
            (Some(_), Some(at_once)) => kept = kept.or(Some(at_once)),
            (Some(held), None) => return held,
            (None, _) => {}
        }
    }
    if enrollment_closed(situation) && !situation.has_active_targets {
        return Status::new(Completed, Reason::Drained, "everybody was written to, and nobody is left to enroll");
    }
    if let Some(unable) = situation.unable {
        return unable.status();
    }
    // No earlier override lifts a restriction. The order to resume removes it.
    if let Some(RunRestriction { reason, message }) = &situation.halted {
        return Status::new(Paused, *reason, message);
    }
    if let Some(whom) = &situation.preempted {
        match order {
            Some(order) => kept = kept.or(Some(order)),
            None => return Status::new(Paused, Reason::FilteredCampaignActive, format!("makes way for {whom}")),
        }
    }
    match (&situation.template_error, kept) {
        (Some(error), _) => Status::new(Paused, Reason::TemplateError, error),
        (None, Some(order)) => Status::new(Active, Reason::Operator, order.sentence()),
        (None, None) => running(situation),
    }
}

/// Returns the status of a run whose stored campaign cannot be used; `why` says so as a sentence.
///
/// An active run pauses. Any other run stays as it is, because nobody knows what its campaign wants.
pub fn frozen(status: &Status, why: &str) -> Status {
    match (status.phase, status.reason) {
        (Phase::Active, _) | (Phase::Paused, Reason::Frozen) => Status::new(Phase::Paused, Reason::Frozen, why),
        (Phase::Draft | Phase::Scheduled | Phase::Paused | Phase::Completed | Phase::Cancelled, _) => status.clone(),
    }
}

/// Returns the status of a run that nothing stops. Its reason names a switch that is off for the account.
fn running(situation: &Situation) -> Status {
    let (reason, message) = match (situation.enrolls, situation.sends) {
        (true, true) => (Reason::Running, "enrolling and sending"),
        (false, true) => (Reason::EnrollmentOff, "sending; enrollment is off for its account"),
        (true, false) => (Reason::SendingOff, "enrolling; sending is off for its account"),
        (false, false) => (Reason::SendingOff, "enrollment and sending are off for its account"),
    };
    Status::new(Phase::Active, reason, message)
}

/// Returns the status of a run whose manifest stops it.
fn held(situation: &Situation) -> Option<Status> {
    let (phase, message) = match situation.wanted {
        DesiredState::Paused => (Phase::Paused, "paused in its manifest"),
        // A run that has started cannot become a draft again, but it must not send either.
        DesiredState::Draft if situation.started => (Phase::Paused, "set back to draft in its manifest"),
        DesiredState::Draft => (Phase::Draft, "a draft: nothing is enrolled or sent"),
        DesiredState::Active | DesiredState::Cancelled => return None,
    };
    Some(Status::new(phase, Reason::Manifest, message))
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

/// Returns true if this run will never enroll another person.
pub fn enrollment_closed(situation: &Situation) -> bool {
    match situation.enrollment {
        Enrollment::Once => situation.passes >= 1 || situation.target_cap_reached,
        Enrollment::UntilDrained => {
            let found_nobody = situation.last_pass_found == 0 && !situation.pass_due;
            situation.passes >= 1 && (found_nobody || situation.target_cap_reached)
        }
        Enrollment::Continuous => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Ahead, Phase, Reason, RunRestriction, Situation, Status, Unable, may_act, next};
    use crate::core::domain::{AccountId, CampaignId, Timestamp};
    use crate::core::lifecycle::overrides::{Action, Override, Scope};
    use crate::core::manifest::desired::{DesiredState, Enrollment};

    fn now() -> Timestamp {
        "2026-12-01T08:00:00Z".parse().unwrap()
    }

    fn active() -> Situation {
        Situation {
            wanted: DesiredState::Active,
            removed: false,
            operator: None,
            selected: true,
            started: true,
            behind: None,
            preempted: None,
            ahead: Ahead::Free,
            unable: None,
            halted: None,
            enrolls: true,
            sends: true,
            start_at: None,
            end_at: None,
            enrollment: Enrollment::UntilDrained,
            passes: 1,
            pass_due: false,
            last_pass_found: 3,
            target_cap_reached: false,
            has_active_targets: true,
            template_error: None,
        }
    }

    fn status(phase: Phase) -> Status {
        Status { phase, reason: Reason::Running, message: String::new() }
    }

    /// Shows every phase against every situation: read this table before you change a rule.
    #[test]
    fn table() {
        let drained = Situation { last_pass_found: 0, has_active_targets: false, ..active() };
        let hour = chrono::TimeDelta::hours(1);
        let halted = Some(RunRestriction { reason: Reason::ChannelUnhealthy, message: "131048: spam".to_owned() });
        let situations = [
            ("active", active()),
            ("halted", Situation { halted: halted.clone(), ..active() }),
            ("halted, drained", Situation { halted, ..drained.clone() }),
            ("draft", Situation { wanted: DesiredState::Draft, ..active() }),
            ("draft, never started", Situation { wanted: DesiredState::Draft, started: false, ..active() }),
            ("paused", Situation { wanted: DesiredState::Paused, ..active() }),
            ("cancelled", Situation { wanted: DesiredState::Cancelled, ..active() }),
            ("removed", Situation { removed: true, ..active() }),
            ("not selected", Situation { selected: false, ..active() }),
            ("start ahead", Situation { start_at: Some(now() + hour), started: false, ..active() }),
            ("start ahead, started", Situation { start_at: Some(now() + hour), ..active() }),
            ("start now", Situation { start_at: Some(now()), started: false, ..active() }),
            ("end now", Situation { end_at: Some(now()), ..active() }),
            ("behind", Situation { behind: Some("`a`, which is active".into()), started: false, ..active() }),
            ("behind, started", Situation { behind: Some("`a`, which is active".into()), ..active() }),
            ("crowded out", Situation { preempted: Some("`a`".into()), ..active() }),
            ("crowded out, never began", Situation { preempted: Some("`a`".into()), started: false, ..active() }),
            ("not looked ahead", Situation { ahead: Ahead::Unknown, started: false, ..active() }),
            ("outlives", Situation { ahead: Ahead::Outlives("x".into()), started: false, ..active() }),
            ("outlives, started", Situation { ahead: Ahead::Outlives("x".into()), ..active() }),
            ("expired", Situation { unable: Some(Unable::SubscriptionExpired), ..active() }),
            ("not connected", Situation { unable: Some(Unable::Disconnected), started: false, ..active() }),
            ("not connected, drained", Situation { unable: Some(Unable::Disconnected), ..drained.clone() }),
            ("drained", drained.clone()),
            ("drained, continuous", Situation { enrollment: Enrollment::Continuous, ..drained.clone() }),
            ("drained, paused", Situation { wanted: DesiredState::Paused, ..drained.clone() }),
            ("enrollment off", Situation { enrolls: false, ..active() }),
            ("sending off", Situation { sends: false, ..active() }),
            ("both off", Situation { enrolls: false, sends: false, ..active() }),
            ("once", Situation { enrollment: Enrollment::Once, has_active_targets: false, ..active() }),
            ("no pass yet", Situation { passes: 0, ..drained.clone() }),
            ("pass due", Situation { pass_due: true, ..drained.clone() }),
            ("cap reached", Situation { target_cap_reached: true, last_pass_found: 9, ..drained }),
            ("template error", Situation { template_error: Some("day 2".into()), ..active() }),
        ];
        let mut table = String::new();
        for (name, situation) in &situations {
            table += &line(name, situation);
        }
        insta::assert_snapshot!(table);
    }

    /// Shows the operators' overrides against the manifests' desired states.
    #[test]
    fn orders() {
        let hour = chrono::TimeDelta::hours(1);
        let fresh = Situation { started: false, ..active() };
        let situations = [
            ("active", active()),
            ("draft", Situation { wanted: DesiredState::Draft, ..fresh.clone() }),
            ("draft, started", Situation { wanted: DesiredState::Draft, ..active() }),
            ("paused", Situation { wanted: DesiredState::Paused, ..active() }),
            ("cancelled", Situation { wanted: DesiredState::Cancelled, ..active() }),
            ("removed", Situation { removed: true, ..active() }),
            ("not selected", Situation { selected: false, ..active() }),
            ("start ahead", Situation { start_at: Some(now() + hour), ..fresh.clone() }),
            ("start ahead, started", Situation { start_at: Some(now() + hour), ..active() }),
            (
                "paused, start ahead",
                Situation { wanted: DesiredState::Paused, start_at: Some(now() + hour), ..fresh.clone() },
            ),
            ("draft, end now", Situation { wanted: DesiredState::Draft, end_at: Some(now()), ..fresh }),
            ("behind", Situation { behind: Some("`a`".into()), started: false, ..active() }),
            ("crowded out", Situation { preempted: Some("`a`".into()), ..active() }),
            ("outlives", Situation { ahead: Ahead::Outlives("x".into()), started: false, ..active() }),
            ("not connected", Situation { unable: Some(Unable::Disconnected), ..active() }),
            ("drained", Situation { last_pass_found: 0, has_active_targets: false, ..active() }),
            ("template error", Situation { template_error: Some("day 2".into()), ..active() }),
        ];
        let mut table = String::new();
        for (name, situation) in &situations {
            table += &format!("{name:<22}");
            for action in Action::ALL {
                let situation = Situation { operator: Some(order(action)), ..situation.clone() };
                let after = next(&status(Phase::Active), &situation, now());
                let was = format!("{} {}", after.phase, after.reason.as_str());
                table += &format!(" {:>6} → {was:<27}", action.as_str());
                let again = next(&after, &situation, now());
                assert_eq!(again, after, "{name}: looking again changes nothing");
            }
            table = table.trim_end().to_owned() + "\n";
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn an_order_says_who_gave_it_and_moves_nothing_that_is_over() {
        let paused = Situation { operator: Some(order(Action::Pause)), ..active() };
        assert_eq!(next(&status(Phase::Active), &paused, now()).message, "paused by maria: audit");
        let resumed = Situation { wanted: DesiredState::Paused, operator: Some(order(Action::Resume)), ..active() };
        assert_eq!(next(&status(Phase::Paused), &resumed, now()).message, "resumed by maria: audit");
        for phase in [Phase::Completed, Phase::Cancelled] {
            for action in Action::ALL {
                let situation = Situation { operator: Some(order(action)), ..active() };
                assert_eq!(next(&status(phase), &situation, now()).phase, phase);
            }
        }
    }

    #[test]
    fn a_run_that_is_not_yet_moved_on_acts_only_as_its_manifest_or_an_operator_wants() {
        use DesiredState::{Active, Cancelled, Draft, Paused};
        let acts = |phase, reason| [Active, Draft, Paused, Cancelled].map(|wanted| may_act(phase, reason, wanted));
        assert_eq!(acts(Phase::Active, Reason::Running), [true, false, false, false]);
        assert_eq!(acts(Phase::Active, Reason::Operator), [true, true, true, false]);
        assert_eq!(acts(Phase::Paused, Reason::Operator), [false; 4]);
        assert_eq!(acts(Phase::Scheduled, Reason::WaitingForStart), [false; 4]);
    }

    fn order(action: Action) -> Override {
        let scope = Scope::Run(AccountId(1), CampaignId(1));
        Override { scope, action, actor: "maria".into(), reason: "audit".into(), until: None }
    }

    fn line(name: &str, situation: &Situation) -> String {
        let mut line = format!("{name:<22}");
        for phase in Phase::ALL {
            let after = next(&status(phase), situation, now());
            line += &format!(" {:>9}→{:<27}", phase.as_str(), format!("{} {}", after.phase, after.reason.as_str()));
        }
        line.trim_end().to_owned() + "\n"
    }

    #[test]
    fn looking_again_changes_nothing() {
        let once = next(&status(Phase::Draft), &active(), now());
        assert_eq!(next(&once, &active(), now()), once);
    }
}
