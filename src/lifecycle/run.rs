//! The lifecycle of a run, level-triggered: what phase follows from what is so, never from what just happened.
//!
//! `draft → scheduled → active → completed`, `active ⇄ paused`, any unfinished phase `→ cancelled`.

use std::fmt;

use serde::Serialize;

use crate::domain::Timestamp;
use crate::manifest::desired::{DesiredState, Enrollment};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Draft,
    Scheduled,
    Active,
    Paused,
    Completed,
    Cancelled,
}

impl Phase {
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Scheduled, Self::Active, Self::Paused, Self::Completed, Self::Cancelled];

    /// Whether the run is over for ever.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

impl TryFrom<String> for Phase {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a phase"))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a run is in its phase, for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The manifest asks for it.
    Manifest,
    WaitingForStart,
    Running,
    /// A message could not be rendered; a new revision lifts it.
    TemplateError,
    /// Nobody left to enroll and nobody active.
    Drained,
    /// `endAt` has come.
    Ended,
    /// The manifest is gone.
    Pruned,
}

impl Reason {
    pub const ALL: [Self; 7] = [
        Self::Manifest,
        Self::WaitingForStart,
        Self::Running,
        Self::TemplateError,
        Self::Drained,
        Self::Ended,
        Self::Pruned,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::WaitingForStart => "waiting-for-start",
            Self::Running => "running",
            Self::TemplateError => "template-error",
            Self::Drained => "drained",
            Self::Ended => "ended",
            Self::Pruned => "pruned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

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

    /// The status of a run that was just created, before anybody looked at it.
    pub fn created() -> Self {
        Self::new(Phase::Draft, Reason::Manifest, "just created")
    }
}

/// Everything the phase of a run depends on.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, not one state in disguise")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    pub wanted: DesiredState,
    /// The manifest is gone.
    pub removed: bool,
    /// The campaign takes in this account.
    pub selected: bool,
    /// The run was active once.
    pub started: bool,
    pub start_at: Option<Timestamp>,
    pub end_at: Option<Timestamp>,
    pub enrollment: Enrollment,
    /// Enrollment passes made so far.
    pub passes: u32,
    /// A pass is due: what the last one found says nothing about now.
    pub pass_due: bool,
    /// How many people the last pass found.
    pub last_pass_found: u32,
    /// `limits.targets` people were taken.
    pub target_cap_reached: bool,
    /// Somebody is still in the sequence.
    pub has_active_targets: bool,
    /// What could not be rendered in the present revision.
    pub template_error: Option<String>,
}

/// The status that follows from `situation` at `now` for a run in `status`.
pub fn next(status: &Status, situation: &Situation, now: Timestamp) -> Status {
    use Phase::{Active, Cancelled, Completed, Draft, Paused, Scheduled};
    if status.phase.is_final() {
        return status.clone();
    }
    if situation.removed {
        return Status::new(Cancelled, Reason::Pruned, "its manifest is gone");
    }
    match situation.wanted {
        DesiredState::Cancelled => return Status::new(Cancelled, Reason::Manifest, "cancelled in its manifest"),
        DesiredState::Paused => return Status::new(Paused, Reason::Manifest, "paused in its manifest"),
        // What has begun cannot be a draft again; nothing may leave all the same.
        DesiredState::Draft if situation.started => {
            return Status::new(Paused, Reason::Manifest, "set back to draft in its manifest");
        }
        DesiredState::Draft => return Status::new(Draft, Reason::Manifest, "a draft: nothing is enrolled or sent"),
        DesiredState::Active => {}
    }
    // Not an end: labels come with imports, and one that is missing today may be back tomorrow.
    if !situation.selected {
        return Status::new(Paused, Reason::Manifest, "its account is not one of those the campaign is for");
    }
    if let Some(end) = situation.end_at.filter(|end| *end <= now) {
        return Status::new(Completed, Reason::Ended, format!("ended at {}", end.format("%Y-%m-%d %H:%M UTC")));
    }
    if let Some(start) = situation.start_at.filter(|start| *start > now && !situation.started) {
        let at = start.format("%Y-%m-%d %H:%M UTC");
        return Status::new(Scheduled, Reason::WaitingForStart, format!("starts at {at}"));
    }
    if enrollment_closed(situation) && !situation.has_active_targets {
        return Status::new(Completed, Reason::Drained, "everybody was written to, and nobody is left to enroll");
    }
    match &situation.template_error {
        Some(error) => Status::new(Paused, Reason::TemplateError, error),
        None => Status::new(Active, Reason::Running, "enrolling and sending"),
    }
}

/// Whether this run will take nobody any more.
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
    use super::{Phase, Reason, Situation, Status, next};
    use crate::domain::Timestamp;
    use crate::manifest::desired::{DesiredState, Enrollment};

    fn now() -> Timestamp {
        "2026-12-01T08:00:00Z".parse().unwrap()
    }

    fn active() -> Situation {
        Situation {
            wanted: DesiredState::Active,
            removed: false,
            selected: true,
            started: true,
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

    /// Every phase against every situation: read this table before you change a rule.
    #[test]
    fn table() {
        let drained = Situation { last_pass_found: 0, has_active_targets: false, ..active() };
        let hour = chrono::TimeDelta::hours(1);
        let situations = [
            ("active", active()),
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
            ("drained", drained.clone()),
            ("drained, continuous", Situation { enrollment: Enrollment::Continuous, ..drained.clone() }),
            ("drained, paused", Situation { wanted: DesiredState::Paused, ..drained.clone() }),
            ("once", Situation { enrollment: Enrollment::Once, has_active_targets: false, ..active() }),
            ("no pass yet", Situation { passes: 0, ..drained.clone() }),
            ("pass due", Situation { pass_due: true, ..drained.clone() }),
            ("cap reached", Situation { target_cap_reached: true, last_pass_found: 9, ..drained }),
            ("template error", Situation { template_error: Some("day 2".into()), ..active() }),
        ];
        let mut table = String::new();
        for (name, situation) in &situations {
            table += &format!("{name:<22}");
            for phase in Phase::ALL {
                let after = next(&status(phase), situation, now());
                table +=
                    &format!(" {:>9}→{:<27}", phase.as_str(), format!("{} {}", after.phase, after.reason.as_str()));
            }
            table = table.trim_end().to_owned() + "\n";
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn looking_again_changes_nothing() {
        let once = next(&status(Phase::Draft), &active(), now());
        assert_eq!(next(&once, &active(), now()), once);
    }
}
