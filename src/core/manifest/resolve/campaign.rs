//! The resolution of one campaign: its own values, then those of `Defaults`, then the built-in defaults.

use super::checked::Checked;
use super::references::{Found, Tree};
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::{Name, Period, Zone};
use crate::core::manifest::desired::{
    AccountSelector, Campaign, CampaignType, DesiredState, Enrollment, Limits, PastSubscription, Sequence, Subscription,
};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::campaign::{CampaignSpec, LimitsSpec};
use crate::core::manifest::kinds::days;
use crate::core::manifest::kinds::defaults::DefaultsSpec;
use crate::core::manifest::kinds::filter::FilterSpec;
use crate::core::manifest::kinds::schedule::ScheduleSpec;
use crate::core::manifest::kinds::sequence::{DaySpec, SequenceSpec, sole_language};
use crate::core::manifest::parsed::{Manifest, Spec};

const PRIORITY: i32 = 100;
/// The delay leaves time to pay right after registration; people who do are never enrolled.
const ENROLL_AFTER: Period = Period::hours(1);

/// A manifest that the campaign needs is missing or broken, which is reported elsewhere.
struct Unusable;

/// Resolves a campaign; returns `None` when it cannot be used. It follows all references in either case, so that each
/// mistake is reported.
pub(in crate::core::manifest) fn resolve_campaign(
    tree: &Tree<'_, '_>,
    manifest: &Manifest<'_>,
    spec: &CampaignSpec,
    checked: &mut Checked,
) -> Option<Campaign> {
    let none = DefaultsSpec::default();
    let defaults = tree.defaults.unwrap_or(&none);
    let filter = filter(tree, manifest, spec, checked);
    let schedule = schedule(tree, manifest, spec, defaults, checked);
    let channel = channel(tree, manifest, spec, checked);
    let sequence = choose_sequence(tree, manifest, spec, defaults, checked);
    let run_after = run_after(tree, manifest, spec, checked);
    let (Ok(filter), Ok(schedule), Ok(channel), Ok((sequence, days)), Ok(())) =
        (filter, schedule, channel, sequence, run_after)
    else {
        return None;
    };
    let filter = filter.resolve();
    let is_default = spec.kind == CampaignType::Default;
    let enroll_after = match spec.kind {
        CampaignType::Default => defaults.enroll_after.unwrap_or(ENROLL_AFTER),
        CampaignType::Filtered => Period::ZERO,
    };
    let enrollment = if is_default { Enrollment::Continuous } else { Enrollment::UntilDrained };
    let enrollment = spec.enrollment.unwrap_or(enrollment);
    // A campaign without an end never completes before the subscription ends, so `refuse` would never let it start.
    let endless = is_default || enrollment == Enrollment::Continuous;
    let past_subscription = if endless { PastSubscription::Pause } else { PastSubscription::Refuse };
    let wants_paid = matches!(filter.subscription, Subscription::Paid | Subscription::Any);
    Some(Campaign {
        kind: spec.kind,
        state: spec.state.unwrap_or(DesiredState::Active),
        accounts: spec.accounts.clone().map_or(AccountSelector::All, AccountSelector::in_order),
        schedule: schedule.resolve(),
        run_after: spec.run_after.clone(),
        past_subscription: spec.past_subscription.unwrap_or(past_subscription),
        priority: spec.priority.unwrap_or(PRIORITY),
        sequence,
        days: days.iter().map(|day| (day.day, day.clone().resolve())).collect(),
        limits: limits(spec.limits, defaults.limits),
        enrollment,
        enroll_after: spec.enroll_after.unwrap_or(enroll_after),
        consent: spec.consent.or(defaults.consent).unwrap_or_default(),
        exit_on_paid: spec.exit_on_paid.unwrap_or(!wants_paid),
        channel,
        filter,
    })
}

fn filter(
    tree: &Tree<'_, '_>,
    manifest: &Manifest<'_>,
    spec: &CampaignSpec,
    checked: &mut Checked,
) -> Result<FilterSpec, Unusable> {
    let Some(name) = &spec.filter_ref else {
        return Ok(spec.filter.clone().unwrap_or_default());
    };
    match tree.find(manifest, Kind::Filter, "/spec/filterRef", name, checked) {
        Found::Sound(Spec::Filter(filter)) => Ok((**filter).clone()),
        Found::Sound(_) | Found::Broken | Found::Unknown => Err(Unusable),
    }
}

fn schedule(
    tree: &Tree<'_, '_>,
    manifest: &Manifest<'_>,
    spec: &CampaignSpec,
    defaults: &DefaultsSpec,
    checked: &mut Checked,
) -> Result<ScheduleSpec, Unusable> {
    let own = match &spec.schedule_ref {
        None => spec.schedule.clone().unwrap_or_default(),
        Some(name) => match tree.find(manifest, Kind::Schedule, "/spec/scheduleRef", name, checked) {
            Found::Sound(Spec::Schedule(schedule)) => (**schedule).clone(),
            Found::Sound(_) | Found::Broken | Found::Unknown => return Err(Unusable),
        },
    };
    let Some(usual) = &defaults.schedule else { return Ok(own) };
    let whole = own.or(usual);
    let from_both = own.start_at.is_some() != own.end_at.is_some();
    if let (true, Some(start), Some(end)) = (from_both, whole.start_at, whole.end_at) {
        let zone = whole.timezone.clone().unwrap_or_else(Zone::utc);
        if start.at(&zone) >= end.at(&zone) {
            let key = if spec.schedule_ref.is_some() { "/spec/scheduleRef" } else { "/spec/schedule" };
            let message = "with the schedule of `Defaults`, `endAt` is not after `startAt`";
            let place = manifest.document.key_place(key);
            checked.diagnostics.push(
                Diagnostic::new(Code::EndsBeforeStart, place, message)
                    .help("give the campaign both `startAt` and `endAt`"),
            );
            return Err(Unusable);
        }
    }
    Ok(whole)
}

fn channel(
    tree: &Tree<'_, '_>,
    manifest: &Manifest<'_>,
    spec: &CampaignSpec,
    checked: &mut Checked,
) -> Result<Option<Name>, Unusable> {
    let Some(name) = &spec.channel_ref else { return Ok(None) };
    match tree.find(manifest, Kind::Channel, "/spec/channelRef", name, checked) {
        Found::Sound(_) => Ok(Some(name.clone())),
        Found::Broken | Found::Unknown => Err(Unusable),
    }
}

fn run_after(
    tree: &Tree<'_, '_>,
    manifest: &Manifest<'_>,
    spec: &CampaignSpec,
    checked: &mut Checked,
) -> Result<(), Unusable> {
    let Some(name) = &spec.run_after else { return Ok(()) };
    match tree.find(manifest, Kind::Campaign, "/spec/runAfter", name, checked) {
        Found::Sound(_) => Ok(()),
        Found::Broken | Found::Unknown => Err(Unusable),
    }
}

/// Returns the sequence, and the days that replace some of its own.
fn choose_sequence<'s>(
    tree: &Tree<'_, '_>,
    manifest: &Manifest<'_>,
    spec: &'s CampaignSpec,
    defaults: &DefaultsSpec,
    checked: &mut Checked,
) -> Result<(Name, &'s [DaySpec]), Unusable> {
    let days = spec.days.as_deref().unwrap_or_default();
    let Some(name) = spec.sequence_ref.as_ref().or(defaults.sequence_ref.as_ref()) else {
        return own_sequence(tree, manifest, days, checked);
    };
    let found = match &spec.sequence_ref {
        Some(name) => tree.find(manifest, Kind::Sequence, "/spec/sequenceRef", name, checked),
        // The check of `Defaults` reports a wrong reference there.
        None => tree.find_quietly(Kind::Sequence, name),
    };
    let Found::Sound(Spec::Sequence(base)) = found else { return Err(Unusable) };
    let before = checked.diagnostics.len();
    check_overrides(manifest, days, name, base, checked);
    if checked.diagnostics.len() > before { Err(Unusable) } else { Ok((name.clone(), days)) }
}

fn check_overrides(manifest: &Manifest<'_>, days: &[DaySpec], name: &Name, base: &SequenceSpec, checked: &mut Checked) {
    let document = &manifest.document;
    for (index, day) in days.iter().enumerate().filter(|(_, day)| base.days.iter().all(|other| other.day != day.day)) {
        let place = document.place(&format!("/spec/days/{index}/day"));
        let message = format!("day {} is not in the sequence `{name}`, which has {} days", day.day, base.days.len());
        let help = "days of a campaign replace days of its sequence; add the day there";
        checked.diagnostics.push(Diagnostic::new(Code::DayBeyondSequence, place, message).help(help));
    }
    if let Some(fallback) = base.fallback().filter(|_| !days.is_empty() && !manifest.broken) {
        days::check_fallback(document, "/spec/days", days, &fallback, &mut checked.diagnostics);
    }
}

/// Turns the days of a campaign without a sequence into a sequence with the campaign's name.
fn own_sequence<'s>(
    tree: &Tree<'_, '_>,
    manifest: &Manifest<'_>,
    days: &'s [DaySpec],
    checked: &mut Checked,
) -> Result<(Name, &'s [DaySpec]), Unusable> {
    let document = &manifest.document;
    let mut refuse = |code, at: &str, message: String, help: &str| {
        // In a broken campaign the key may seem missing only because it could not be read.
        if !manifest.broken {
            checked.diagnostics.push(Diagnostic::new(code, document.key_place(at), message).help(help));
        }
        Err(Unusable)
    };
    if days.is_empty() {
        let help = "add `sequenceRef:` here or to the `Defaults` manifest, or `days:`";
        return refuse(Code::NoSequence, "/spec", format!("the campaign `{}` has no messages", manifest.name), help);
    }
    if tree.manifests.get(Kind::Sequence, &manifest.name).is_some() {
        let message = format!(
            "is `{}` the sequence of this campaign? It has the same name, and nothing refers to it",
            manifest.name
        );
        return refuse(Code::NoSequence, "/spec/days", message, "add `sequenceRef:`, or rename one of the two");
    }
    let Some(fallback_language) = sole_language(days) else {
        let message = "the days are in several languages, and none is the fallback".to_owned();
        return refuse(
            Code::MissingKey,
            "/spec/days",
            message,
            "move them to a `Sequence` with a `fallbackLanguage`, and refer to it with `sequenceRef`",
        );
    };
    let before = checked.diagnostics.len();
    days::check_numbers(document, "/spec/days", days, true, &mut checked.diagnostics);
    days::check_fallback(document, "/spec/days", days, &fallback_language, &mut checked.diagnostics);
    if checked.diagnostics.len() > before || manifest.broken {
        return Err(Unusable);
    }
    let days = days.iter().map(|day| (day.day, day.clone().resolve())).collect();
    checked.desired.sequences.insert(manifest.name.clone(), Sequence { days, fallback_language });
    Ok((manifest.name.clone(), &[]))
}

/// Returns the limits of a campaign. `messagesPerDay` of `Defaults` limits accounts, not campaigns.
fn limits(own: Option<LimitsSpec>, defaults: Option<LimitsSpec>) -> Limits {
    let (own, defaults) = (own.unwrap_or_default(), defaults.unwrap_or_default());
    Limits {
        messages_per_day: own.messages_per_day,
        targets: own.targets.or(defaults.targets),
        daily_enrollments: own.daily_enrollments.or(defaults.daily_enrollments),
    }
}
