//! Every phase against every situation, and the operators' orders.

use super::{Ahead, Detail, Phase, Reason, RunRestriction, Situation, Status, Unable, may_act, next};
use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::overrides::{Action, Override, Scope, StandingOrder};
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
        filtered: true,
        nobody_matches: false,
        ever_enrolled: true,
        busy_elsewhere: false,
        passes: 1,
        pass_due: false,
        last_pass_found: 3,
        target_cap_reached: false,
        has_active_targets: true,
        template_error: None,
    }
}

fn status(phase: Phase) -> Status {
    Status { phase, reason: Reason::Running, detail: Detail::None }
}

/// Shows every phase against every situation: read this table before you change a rule.
#[test]
fn table() {
    let drained = Situation { last_pass_found: 0, has_active_targets: false, ..active() };
    let nobody = Situation { nobody_matches: true, started: false, passes: 0, ever_enrolled: false, ..drained.clone() };
    let hour = chrono::TimeDelta::hours(1);
    let halted = Some(RunRestriction { reason: Reason::ChannelUnhealthy, detail: refused("131048: spam") });
    let situations = vec![
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
        ("behind", Situation { behind: Some(behind()), started: false, ..active() }),
        ("behind, started", Situation { behind: Some(behind()), ..active() }),
        ("crowded out", Situation { preempted: Some(preempted()), ..active() }),
        ("crowded out, never began", Situation { preempted: Some(preempted()), started: false, ..active() }),
        ("not looked ahead", Situation { ahead: Ahead::Unknown, started: false, ..active() }),
        ("outlives", Situation { ahead: Ahead::Outlives(Detail::LookingAhead), started: false, ..active() }),
        ("outlives, started", Situation { ahead: Ahead::Outlives(Detail::LookingAhead), ..active() }),
        ("nobody, never began", nobody.clone()),
        ("nobody, default", Situation { filtered: false, ..nobody.clone() }),
        ("nobody, behind", Situation { behind: Some(behind()), ..nobody.clone() }),
        ("nobody, outlives", Situation { ahead: Ahead::Outlives(Detail::LookingAhead), ..nobody.clone() }),
        ("nobody, paused", Situation { wanted: DesiredState::Paused, ..nobody.clone() }),
        ("nobody, end now", Situation { end_at: Some(now()), ..nobody.clone() }),
        ("nobody, cap reached", Situation { target_cap_reached: true, passes: 1, ..nobody }),
        ("began with nobody", Situation { ever_enrolled: false, ..drained.clone() }),
        ("began, pass due", Situation { ever_enrolled: false, pass_due: true, ..drained.clone() }),
        ("began, continuous", {
            Situation { ever_enrolled: false, enrollment: Enrollment::Continuous, ..drained.clone() }
        }),
        ("all busy elsewhere", Situation { busy_elsewhere: true, ..drained.clone() }),
        ("busy, default", Situation { busy_elsewhere: true, filtered: false, ..drained.clone() }),
        ("busy, some active", Situation { busy_elsewhere: true, has_active_targets: true, ..drained.clone() }),
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
        ("template error", Situation { template_error: Some(refused("day 2")), ..active() }),
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
        ("behind", Situation { behind: Some(behind()), started: false, ..active() }),
        ("crowded out", Situation { preempted: Some(preempted()), ..active() }),
        ("outlives", Situation { ahead: Ahead::Outlives(Detail::LookingAhead), started: false, ..active() }),
        ("not connected", Situation { unable: Some(Unable::Disconnected), ..active() }),
        ("nobody matches", {
            let nobody = Situation { nobody_matches: true, has_active_targets: false, ..active() };
            Situation { started: false, ever_enrolled: false, passes: 0, ..nobody }
        }),
        ("drained", Situation { last_pass_found: 0, has_active_targets: false, ..active() }),
        ("template error", Situation { template_error: Some(refused("day 2")), ..active() }),
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
fn an_override_names_its_author_and_never_moves_a_finished_run() {
    let paused = Situation { operator: Some(order(Action::Pause)), ..active() };
    assert_eq!(next(&status(Phase::Active), &paused, now()).detail, order(Action::Pause).detail());
    let resumed = Situation { wanted: DesiredState::Paused, operator: Some(order(Action::Resume)), ..active() };
    assert_eq!(next(&status(Phase::Paused), &resumed, now()).detail, order(Action::Resume).detail());
    for phase in [Phase::Completed, Phase::Cancelled] {
        for action in Action::ALL {
            let situation = Situation { operator: Some(order(action)), ..active() };
            assert_eq!(next(&status(phase), &situation, now()).phase, phase);
        }
    }
}

#[test]
fn an_operator_reopens_completed_runs_alone() {
    let by = Detail::Reopened { actor: "maria".into(), reason: "more people".into() };
    for phase in Phase::ALL {
        let status = super::reopened(phase, by.clone());
        assert_eq!(status.is_some(), phase == Phase::Completed, "{phase}");
        let fresh = Situation { started: false, passes: 0, last_pass_found: 0, ..active() };
        let moved = status.map(|status| next(&status, &fresh, now()).phase);
        assert_eq!(moved, (phase == Phase::Completed).then_some(Phase::Active), "{phase}");
    }
}

#[test]
fn a_run_not_yet_updated_acts_only_if_still_wanted() {
    use DesiredState::{Active, Cancelled, Draft, Paused};
    let acts = |phase, reason| [Active, Draft, Paused, Cancelled].map(|wanted| may_act(phase, reason, wanted));
    assert_eq!(acts(Phase::Active, Reason::Running), [true, false, false, false]);
    assert_eq!(acts(Phase::Active, Reason::Operator), [true, true, true, false]);
    assert_eq!(acts(Phase::Paused, Reason::Operator), [false; 4]);
    assert_eq!(acts(Phase::Scheduled, Reason::WaitingForStart), [false; 4]);
}

fn order(action: Action) -> StandingOrder {
    let scope = Scope::Run(AccountId(1), CampaignId(1));
    let order = Override { scope, action, actor: "maria".into(), reason: "audit".into(), until: None };
    StandingOrder { id: 1, order }
}

fn refused(text: &str) -> Detail {
    Detail::Refused { text: text.to_owned() }
}

fn behind() -> Detail {
    Detail::QueuedBehind { campaign: "a".to_owned(), phase: Phase::Active }
}

fn preempted() -> Detail {
    Detail::MakesWay { campaign: "a".to_owned(), returns: false }
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
fn a_second_evaluation_changes_nothing() {
    let once = next(&status(Phase::Draft), &active(), now());
    assert_eq!(next(&once, &active(), now()), once);
}
